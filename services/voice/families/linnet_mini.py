"""The built-in family: streaming tokenizer → small GLM → streaming speech decoder, on engines.

While the user speaks, each 320 ms block goes through the tokenizer; its letters advance the search
through the home's grammar, its codes are read by the language model, and the same sound is heard
by the second recogniser. At the end of speech only the candidates are left to be judged. The call
is one the grammar allows; the reply's words are one of the true sentences about its outcome; the
reply's sound is the language model's own.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec

import numpy as np

from device.bundle import Bundle
from device.engine.contract import Engine
from device.speech.language_model import Floats, LanguageModel
from device.speech.speaking import Speaking, Voice
from device.speech.tokenizer import SpeechTokenizer
from services.language import prompt
from services.language.grammar import compile_grammar
from services.language.homeview import HomeView
from services.language.outcome import Outcome
from services.language.replies import NOT_UNDERSTOOD, replies
from services.language.schedule import InterleaveSchedule
from services.language.vocabulary import Vocabulary
from services.voice.answers import AnswerHearing
from services.voice.families.base import (
    AudioDelta,
    Event,
    FunctionCall,
    Pcm,
    TextDelta,
    Transcript,
    TurnEnd,
)
from services.voice.hearing import Hearing
from services.voice.rescoring import Scored, Weights, decide
from services.voice.second_opinion import PocketsphinxOpinion, RecogniserMissing

SAMPLE_RATE_OUT = 16_000  # Hz
CODE_SAMPLES = 1_280  # 80 ms a code
CANDIDATES = 8  # sentences that are judged
FIRST_CODES, NEXT_CODES = 4, 5  # codes a piece of sound is made from: soon first, then 0.4 s
LONGEST_REPLY = 150  # codes: 12 s

EngineOpener = Callable[[Bundle, str], Engine]


def number(config: Mapping[str, object], key: str) -> int:
    """A whole number of a bundle's configuration.

    Raises:
        ValueError: it is missing or no whole number.
    """
    value = config.get(key)
    if not isinstance(value, int):
        raise ValueError(f"manifest config.{key} must be a whole number, not {value!r}")
    return value


OPINION_ONLY = {
    "ctc": 0.0, "behind": 0.0, "lm": 0.0, "prior": 0.0, "unheard": -9.0, "reject": math.inf,
}  # fmt: skip
"""Weights that leave the choice to the second recogniser."""


class Opinions:
    """The second recogniser of each of the last few homes; building one takes a second."""

    KEPT = 3

    def __init__(self, required: bool) -> None:
        """Raises RecogniserMissing when it is required and not installed."""
        self._installed = find_spec("pocketsphinx") is not None
        if required and not self._installed:
            raise RecogniserMissing("pocketsphinx is not installed: pip install linnet[recogniser]")
        self._built: dict[HomeView, PocketsphinxOpinion] = {}

    def of(self, home: HomeView) -> PocketsphinxOpinion | None:
        """None where pocketsphinx is not installed."""
        if self._installed and home not in self._built:
            while len(self._built) >= self.KEPT:
                self._built.pop(next(iter(self._built)))
            self._built[home] = PocketsphinxOpinion(home)
        return self._built.get(home)


@dataclass(frozen=True)
class LinnetMini:
    """A loaded bundle of the family."""

    vocabulary: Vocabulary
    tokenizer: Engine
    lm: Engine
    voice: Voice
    lm_max_len: int
    schedule: InterleaveSchedule
    weights: Weights
    opinions: Opinions | None = None
    sample_rate_out: int = SAMPLE_RATE_OUT

    @classmethod
    def open(
        cls, bundle: Bundle, engines: EngineOpener, opinion: bool = True, tokenizer: bool = True
    ) -> LinnetMini:
        """Open every part of a bundle.

        Args:
            opinion: whether a second recogniser listens too, where it is installed.
            tokenizer: False leaves the choice of the call to the second recogniser alone.

        Raises:
            BundleError, EngineError: see them; a part is missing or does not load.
            ValueError: the vocabulary or the weights in the bundle are not readable.
            RecogniserMissing: only the second recogniser was wanted and it is not installed.
        """
        manifest, config = bundle.manifest, bundle.manifest.config
        codes = number(config, "codes")
        weights = {
            key.removeprefix("rescoring_"): value
            for key, value in config.items()
            if key.startswith("rescoring_") and isinstance(value, int | float)
        }
        voice = Voice(engines(bundle, "speech_decoder"), engines(bundle, "vocoder"), pad=codes)
        return cls(
            Vocabulary.load(bundle.file("vocabulary"), codes),
            engines(bundle, "tokenizer"),
            engines(bundle, "lm"),
            voice,
            number(config, "lm_max_len"),
            InterleaveSchedule(manifest.schedule.text, manifest.schedule.audio),
            Weights.of(weights) if tokenizer else replace(Weights.of(weights), **OPINION_ONLY),
            Opinions(required=not tokenizer) if opinion else None,
        )

    def session(self, home: HomeView) -> LinnetMiniSession:
        lm = LanguageModel(self.lm, self.lm_max_len)
        opinion = self.opinions.of(home) if self.opinions else None
        hearing = Hearing(
            SpeechTokenizer(self.tokenizer), lm, self.vocabulary, compile_grammar(home), opinion
        )
        return LinnetMiniSession(self, hearing, lm)

    def answer_session(self, home: HomeView) -> AnswerSession:
        lm = LanguageModel(self.lm, self.lm_max_len)
        opinion = self.opinions.of(home) if self.opinions else None
        hearing = AnswerHearing(SpeechTokenizer(self.tokenizer), lm, self.vocabulary, opinion)
        return AnswerSession(self, hearing, lm)


class Teller:
    """The half of a turn that speaks: an outcome told, by words that may be cut."""

    def __init__(self, model: LinnetMini, lm: LanguageModel) -> None:
        self._model, self._lm = model, lm
        self._cancelled = threading.Event()
        self._text = ""
        """What was understood."""
        self._reply_starts: list[int] = []
        """Cache length before each code of the reply."""

    def cancel(self) -> None:
        self._cancelled.set()

    def _answer(self, outcome: Outcome) -> Iterator[Event]:
        v = self._model.vocabulary
        turn = prompt.transcript(v, self._text) + prompt.call(v, outcome.call)
        turn += prompt.observation(v, outcome) + prompt.reply_open(v)
        logits = self._lm.read(turn)
        allowed, slot = replies(outcome), self._model.schedule.text
        # All of them are true; the model says the one it finds most natural.
        best = max(allowed, key=lambda t: self._lm.score(v.encode(t)[:slot], logits))
        yield from self._speak(best)

    def _speak(self, text: str) -> Iterator[Event]:
        speaking = Speaking(self._model.voice)
        waiting: list[int] = []
        wanted = FIRST_CODES
        for item in self._generate(text):
            if isinstance(item, str):
                yield TextDelta(item)
                continue
            waiting.append(item)
            if len(waiting) >= wanted:
                pcm, waiting, wanted = speaking.say(waiting), [], NEXT_CODES
                yield from self._sound(pcm)
        if self._cancelled.is_set():
            yield TurnEnd("cancelled")
            return
        yield from self._sound(np.concatenate([speaking.say(waiting), speaking.finish()]))
        yield TurnEnd("done")

    def _sound(self, pcm: Pcm) -> Iterator[Event]:
        if len(pcm):
            yield AudioDelta(pcm)

    def _generate(self, text: str) -> Iterator[str | int]:
        """The reply's text as it is read and the codes as they are made, slot by slot."""
        v = self._model.vocabulary
        ids, schedule = v.encode(text), self._model.schedule
        for start in range(0, len(ids), schedule.text):
            slot = ids[start : start + schedule.text]
            last = start + schedule.text >= len(ids)
            if not self._lm.room(len(slot) + schedule.audio):
                return
            yield v.decode(slot)
            logits = self._lm.read(slot)
            for _ in range(LONGEST_REPLY if last else schedule.audio):
                token = self._next(logits, may_end=last)
                if token is None or self._cancelled.is_set() or not self._lm.room(1):
                    return
                self._reply_starts.append(self._lm.length)
                logits = self._lm.read([token])
                yield token - v.first_code

    def _next(self, logits: Floats, may_end: bool) -> int | None:
        """The likeliest code, None where the turn ends."""
        v = self._model.vocabulary
        code = v.first_code + int(logits[v.first_code : v.first_code + v.codes].argmax())
        if may_end and logits[v.tag("<|user|>")] > logits[code]:
            return None
        return code

    @property
    def history_length(self) -> int:
        """Ids in the conversation."""
        return self._lm.length

    def commit(self, samples_heard: int) -> None:
        """Cut the conversation to the codes whose sound was played."""
        heard = -(-samples_heard // CODE_SAMPLES)
        if heard < len(self._reply_starts):
            self._lm.cut(self._reply_starts[heard])
            del self._reply_starts[heard:]


class LinnetMiniSession(Teller):
    """One turn."""

    def __init__(self, model: LinnetMini, hearing: Hearing, lm: LanguageModel) -> None:
        super().__init__(model, lm)
        self._hearing = hearing

    def hear(self, pcm: Pcm) -> None:
        self._hearing.hear(pcm)

    def complete(self) -> bool:
        """Whether what was said so far is a whole command: the endpointer may be quick."""
        return self._hearing.complete()

    def respond(self, observations: Sequence[Outcome]) -> Iterator[Event]:
        if observations:
            yield from self._answer(observations[0])
            return
        said = decide(self.judged(), self._model.weights)
        if said is None:
            yield from self._apologise()
            return
        self._text = said.text
        yield Transcript(said.text)
        yield FunctionCall(said.call)
        yield TurnEnd("call")

    def judged(self) -> list[Scored]:
        """End the hearing: what may have been said, and what each judge thinks of it."""
        return self._hearing.judged()

    def _apologise(self) -> Iterator[Event]:
        v = self._model.vocabulary
        heard = self._hearing.letters()
        yield Transcript(heard)
        self._lm.read(prompt.transcript(v, heard) + prompt.reply_open(v))
        yield from self._speak(NOT_UNDERSTOOD[0])


class AnswerSession(Teller):
    """One turn that answers a question; it makes no call."""

    def __init__(self, model: LinnetMini, hearing: AnswerHearing, lm: LanguageModel) -> None:
        super().__init__(model, lm)
        self._hearing = hearing

    def hear(self, pcm: Pcm) -> None:
        self._hearing.hear(pcm)

    def respond(self, observations: Sequence[Outcome]) -> Iterator[Event]:
        if observations:
            yield from self._answer(observations[0])
            return
        self._text = self._hearing.finish()
        yield Transcript(self._text)
        yield TurnEnd("call")
