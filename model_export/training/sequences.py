"""What the language model reads and writes in training, as ids and the places it is judged on.

Four kinds, as only some sentences were spoken by the reply voice: *understanding* (speech codes →
transcript → call, or the reply's opening), *answering* (call and observation → reply as text and
codes), *reading aloud* (any sentence of the reply voice, of which only the sound is judged) and
*typed* (a line as people type it → call, or the reply's opening).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_export.training.codes import Utterance
from model_export.training.haste import no_command, typed
from model_export.training.text import Line, commands, invented_home
from services.language import prompt
from services.language.calls import Call
from services.language.functions import FUNCTIONS
from services.language.homeview import EntityView, HomeView
from services.language.outcome import Outcome
from services.language.outcome_sample import corpus, outcome_of
from services.language.replies import NOT_UNDERSTOOD, replies
from services.language.vocabulary import Vocabulary

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Example:
    ids: Ids
    judged: npt.NDArray[np.bool_]
    """True where the id is to be predicted."""
    read: Ids | None = None
    """What the model reads in place of ``ids`` before it predicts the next of them."""


@dataclass(frozen=True)
class SpokenReply:
    """A reply the fixed voice has said, and an outcome it is true of."""

    text: str
    codes: npt.NDArray[np.int16]


def understanding(
    vocabulary: Vocabulary, said: Utterance, rng: random.Random, wrong: float
) -> Example:
    """Speech → transcript → call; a share of the codes is replaced, as new voices will do."""
    any_code = vocabulary.codes
    codes = [rng.randrange(any_code) if rng.random() < wrong else int(c) for c in said.codes]
    head = prompt.user_speech(vocabulary, codes)
    tail = prompt.transcript(vocabulary, said.text)
    if said.call is None:
        tail += prompt.reply_open(vocabulary)
    else:
        tail += prompt.call(vocabulary, _call(said.call)) + prompt.call_close(vocabulary)
    return _example(head, tail)


def typing(vocabulary: Vocabulary, line: Line) -> Example:
    """A typed line → its call, or the reply's opening where it calls nothing."""
    head = prompt.user_text(vocabulary, line.text)
    if line.call is None:
        return _example(head, prompt.reply_open(vocabulary))
    return _example(head, prompt.call(vocabulary, line.call) + prompt.call_close(vocabulary))


def typed_lines(other: Sequence[str], rng: random.Random) -> Iterator[Line]:
    """What is typed in haste, for ever: new commands, ``other`` talk, and commands that are denied,
    put off or only one of two, which call nothing."""
    source = commands(rng)
    for line in source:
        draw, text = rng.random(), typed(rng, line.text)
        if other and draw < 0.2:
            yield Line(typed(rng, rng.choice(other)), None)
        elif draw < 0.35 and line.call is not None and FUNCTIONS[line.call.name].effect == "moves":
            yield Line(no_command(rng, text, typed(rng, next(source).text)), None)
        else:
            yield Line(text, line.call)


def answering(
    vocabulary: Vocabulary, outcome: Outcome, reply: SpokenReply, heard: Utterance
) -> Example:
    """Call and observation → the reply as text and codes.

    The user's turn is other speech or nothing: the words of a reply hang on the outcome alone.
    """
    head = prompt.user_speech(vocabulary, [int(c) for c in heard.codes])
    head += prompt.transcript(vocabulary, heard.text) + prompt.call(vocabulary, outcome.call)
    head += prompt.observation(vocabulary, outcome)
    return _example(head, spoken_turn(vocabulary, reply))


def reading_aloud(
    vocabulary: Vocabulary,
    reply: SpokenReply,
    heard: Utterance,
    rng: random.Random,
    slips: float = 0.0,
) -> Example:
    """Any sentence of the reply voice after any turn: only its sound is judged, not its words.

    A share ``slips`` of the codes it reads of its own voice are others. Without them it learns
    whole sentences by heart (cross-entropy 0.16 on those, 2.24 on new ones) and goes on by the
    sound so far; with them it has to look at the words, and its own slips do not lead it astray.
    """
    head = prompt.user_speech(vocabulary, [int(c) for c in heard.codes])
    head += prompt.transcript(vocabulary, heard.text)
    if heard.call is not None:
        call = _call(heard.call)
        head += prompt.call(vocabulary, call)
        head += prompt.observation(vocabulary, outcome_of(rng, _HOME, call))
    whole = _example(head, spoken_turn(vocabulary, reply))
    voiced = (whole.ids >= vocabulary.first_code) & whole.judged
    slipped = [n for n in np.flatnonzero(voiced) if rng.random() < slips]
    read = whole.ids.copy()
    read[slipped] = [vocabulary.first_code + rng.randrange(vocabulary.codes) for _ in slipped]
    end = (whole.ids == vocabulary.tag("<|user|>")) & whole.judged
    return Example(whole.ids, voiced | end, read)


def spoken_turn(vocabulary: Vocabulary, reply: SpokenReply) -> list[int]:
    text = vocabulary.encode(reply.text)
    audio = vocabulary.audio([int(c) for c in reply.codes])
    body = list(prompt.interleave(text, audio))
    return prompt.reply_open(vocabulary) + body + prompt.reply_close(vocabulary)


_HOME = HomeView((EntityView("light.any", "lamp", "light", "office"),), ("office",))


def _call(text: str) -> Call:
    body = json.loads(text)
    return Call.of(body["name"], **body["arguments"])


def _example(head: list[int], tail: list[int]) -> Example:
    ids = np.array(head + tail, np.int64)
    return Example(ids, np.arange(len(ids)) >= len(head))


def outcomes_of(
    spoken_replies: Mapping[str, npt.NDArray[np.int16]], seed: int, tries: int
) -> list[tuple[Outcome, SpokenReply]]:
    """Random outcomes whose reply was spoken; the reply voice's corpus came from the same walk."""
    rng = random.Random(seed)
    found = []
    for _ in range(tries):
        outcome = corpus(rng, invented_home(rng))
        for text in replies(outcome):
            if text in spoken_replies:
                found.append((outcome, SpokenReply(text, spoken_replies[text])))
    return found


def examples(
    vocabulary: Vocabulary,
    utterances: list[Utterance],
    spoken_replies: Mapping[str, npt.NDArray[np.int16]],
    pairs: list[tuple[Outcome, SpokenReply]],
    rng: random.Random,
    aloud_share: float = 0.42,
    answer_share: float = 0.05,
    wrong: float = 0.06,
    typed_share: float = 0.12,
    slips: float = 0.15,
) -> Iterator[Example]:
    """Training examples for ever; the other shares are of what is not typed."""
    sorry = [SpokenReply(t, spoken_replies[t]) for t in NOT_UNDERSTOOD if t in spoken_replies]
    voiced = [SpokenReply(text, codes) for text, codes in spoken_replies.items()]
    lines = typed_lines([said.text for said in utterances if said.call is None], rng)
    while True:
        if rng.random() < typed_share:
            yield typing(vocabulary, next(lines))
            continue
        draw, heard = rng.random(), rng.choice(utterances)
        if draw < aloud_share:
            # Speech that calls nothing is answered by an apology.
            fixed = heard.call is None and sorry and rng.random() < 0.3
            reply = rng.choice(sorry if fixed else voiced)
            yield reading_aloud(vocabulary, reply, heard, rng, slips)
        elif draw < aloud_share + answer_share and pairs:
            outcome, reply = rng.choice(pairs)
            yield answering(vocabulary, outcome, reply, heard)
        else:
            yield understanding(vocabulary, heard, rng, wrong)
