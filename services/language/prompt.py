"""The turn format of the language model: GLM-4-Voice's, with a transcript turn and a call turn.

    [gMASK]<sop><|user|>⏎<|begin_of_audio|>…codes…<|end_of_audio|>
    <|assistant|>transcript⏎turn on the bed light
    <|assistant|>HassTurnOn⏎{"name":"bed light"}
    <|observation|>⏎bed light confirmed
    <|assistant|>streaming_transcription⏎ text, codes, text, codes … <|user|>

The word after ``<|assistant|>`` is GLM-4's metadata slot: a function's name makes the turn a call.
Speech that calls nothing goes from the transcript straight to the reply. A typed line stands in the
user's turn as it is, and is its own transcript:

    [gMASK]<sop><|user|>⏎bed lite on plz<|assistant|>HassTurnOn⏎{"name":"bed light"}<|observation|>
    [gMASK]<sop><|user|>⏎nice lamp<|assistant|>streaming_transcription⏎
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence

from services.language.calls import Call
from services.language.outcome import Outcome
from services.language.schedule import InterleaveSchedule
from services.language.spoken import spoken
from services.language.vocabulary import Vocabulary

SCHEDULE = InterleaveSchedule(text=5, audio=10)
"""Interleave of ``linnet_mini``'s replies: text runs ahead, as five pieces last longer than ten
codes (0.8 s); the first sound needs five pieces and a few codes only."""
_NAMED = 4  # devices an observation names


def user_speech(vocabulary: Vocabulary, codes: Sequence[int]) -> list[int]:
    """The user's turn, spoken."""
    return [*user_speech_open(vocabulary), *vocabulary.audio(codes), *user_speech_close(vocabulary)]


def user_speech_open(vocabulary: Vocabulary) -> list[int]:
    """What comes before the codes: the cache can be filled with it before anybody speaks."""
    return [*_user_open(vocabulary), vocabulary.tag("<|begin_of_audio|>")]


def user_text(vocabulary: Vocabulary, text: str) -> list[int]:
    """The user's turn, typed; folded to spoken form, the only one a small model has read."""
    return _user_open(vocabulary) + vocabulary.encode(spoken(text))


def user_speech_close(vocabulary: Vocabulary) -> list[int]:
    return [vocabulary.tag("<|end_of_audio|>")]


def transcript(vocabulary: Vocabulary, text: str) -> list[int]:
    return _assistant(vocabulary, "transcript") + vocabulary.encode(text)


def call(vocabulary: Vocabulary, wanted: Call) -> list[int]:
    arguments = json.dumps(wanted.args, separators=(",", ":"), ensure_ascii=False)
    return _assistant(vocabulary, wanted.name) + vocabulary.encode(arguments)


def observation(vocabulary: Vocabulary, outcome: Outcome) -> list[int]:
    head = [vocabulary.tag("<|observation|>")]
    return head + vocabulary.encode("\n" + observed(outcome))


def observed(outcome: Outcome) -> str:
    """An outcome as one short line of words."""
    if outcome.error is not None:
        return outcome.error
    parts = [
        f"{r.name} {r.status}" + (f" {spoken(r.state)}" if r.state else "")
        for r in outcome.results[:_NAMED]
    ]
    facts = [f"{key} {spoken(str(value))}" for key, value in sorted(outcome.facts.items())]
    return ", ".join(parts + facts) or "done"


def reply_open(vocabulary: Vocabulary) -> list[int]:
    return _assistant(vocabulary, "streaming_transcription")


def reply_close(vocabulary: Vocabulary) -> list[int]:
    """The turn ends where the next user turn would begin."""
    return [vocabulary.tag("<|user|>")]


def interleave(text: Sequence[int], audio: Sequence[int]) -> Iterator[int]:
    """Text and audio ids in turns; when one runs out the rest of the other follows."""
    cursor, words, sounds = SCHEDULE.cursor(), deque(text), deque(audio)
    while words and sounds:
        yield words.popleft() if cursor.advance() == "text" else sounds.popleft()
    yield from words
    yield from sounds


def call_close(vocabulary: Vocabulary) -> list[int]:
    """A call ends where what became of it would be told."""
    return [vocabulary.tag("<|observation|>")]


def _user_open(vocabulary: Vocabulary) -> list[int]:
    v = vocabulary
    return [v.tag("[gMASK]"), v.tag("<sop>"), v.tag("<|user|>"), *v.encode("\n")]


def _assistant(vocabulary: Vocabulary, metadata: str) -> list[int]:
    return [vocabulary.tag("<|assistant|>"), *vocabulary.encode(metadata + "\n")]
