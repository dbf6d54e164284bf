"""A second opinion that has heard people: pocketsphinx listening for this home's sentences.

    opinion = PocketsphinxOpinion(home)
    opinion.start()
    opinion.hear(pcm)            # 16 kHz float32, while the user speaks; works ahead at a pause
    opinion.finish()             # Hypotheses: what the grammar allows, against a free phone loop

Its acoustic model (US English, learned from people, in the wheel) wants cepstra whose mean over
the utterance is removed. A mean of the first second, or one carried over, costs a quarter of the
calls, so sound is kept and decoded when a pause suggests the end: 0.04 s a second of speech, and
as much again for the phone loop, which tells what speech outside the grammar would score.

pocketsphinx is an extra: without it the constructor raises ``RecogniserMissing``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.language.calls import Call
from services.language.finite_state import SILENCE, FiniteState, of_grammar, of_texts
from services.language.grammar import compile_grammar
from services.language.homeview import HomeView
from services.language.pronounce import compound
from services.voice.pause import PauseWatch
from services.voice.sphinx import (
    SAMPLE_RATE,
    RecogniserMissing,
    SphinxSettings,
    nats,
    open_decoder,
    open_loop,
    voiced,
    words,
)

__all__ = ["Hypotheses", "Hypothesis", "PocketsphinxOpinion", "RecogniserMissing", "SphinxSettings"]

_LETTER_FRAMES = 9.0  # of 10 ms, at a usual pace
# What the loop's freedom is worth on plain commands, nats per frame: moves ``accept`` near zero.
_FREEDOM = 1.85
UNCOVERED = -9.0


@dataclass(frozen=True)
class Hypothesis:
    """One reading."""

    text: str
    call: Call | None
    score: float
    """Natural log of the best path's score, the grammar's prior included."""
    ratio: float
    """How well the sentence holds against the free phone loop, in nats per frame of speech at a
    usual pace; about 1 for a plain command, ``UNCOVERED`` when most speech is not in the sentence,
    0 when the loop does not run."""


@dataclass(frozen=True)
class Hypotheses:
    """What pocketsphinx makes of an utterance: the best reading first, none when it hears none."""

    readings: tuple[Hypothesis, ...] = ()
    frames: int = 0
    accept: float = -math.inf

    @property
    def call(self) -> Call | None:
        """The call to trust: of the best reading, when it is a whole sentence that fits."""
        first = self.readings[0] if self.readings else None
        return first.call if first and first.ratio >= self.accept else None


class PocketsphinxOpinion:
    """The recogniser of one home; one utterance at a time, from one thread."""

    def __init__(self, home: HomeView, settings: SphinxSettings | None = None) -> None:
        """Loads the model (a fifth of a second) and the home's grammar.

        Raises:
            RecogniserMissing: pocketsphinx is not installed.
        """
        self.settings = settings or SphinxSettings()
        self._grammar = compile_grammar(home)
        self._decoder = open_decoder(self.settings)
        for word in self._grammar.words:
            self._teach(word)
        self._use("home", of_grammar(self._grammar))
        # Hearing nothing but silence is the cheapest way to make the front end work.
        self._use("level", of_texts([SILENCE]))
        self._loop = open_loop(self.settings) if self.settings.loop else None
        self.start()

    def start(self) -> None:
        """Forget what was heard and listen anew."""
        self._sound: list[NDArray[np.int16]] = []
        self._samples = 0
        self._ahead: tuple[int, Hypotheses] | None = None
        self._watch = PauseWatch()

    def hear(self, pcm: NDArray[np.float32]) -> None:
        """Take sound: float32[n] at 16 kHz, any n; decodes ahead when the speaker falls quiet."""
        room = int(self.settings.longest_s * SAMPLE_RATE) - self._samples
        chunk = np.clip(pcm[: max(room, 0)] * 32767.0, -32768, 32767).astype(np.int16)
        self._sound.append(chunk)
        self._samples += len(chunk)
        if self._watch.feed(pcm):
            self.peek()  # most likely the end: what is decoded now need not be then

    def peek(self) -> Hypotheses:
        """What was said so far, decoded now so that ``finish`` need not."""
        if self._ahead is None or self._ahead[0] != self._samples:
            self._ahead = self._samples, self._decode()
        return self._ahead[1]

    def finish(self) -> Hypotheses:
        """What was said; ``start`` begins the next utterance."""
        if self._ahead and self._samples - self._ahead[0] <= self.settings.ahead_s * SAMPLE_RATE:
            return self._ahead[1]
        return self.peek()

    def score(self, texts: Sequence[str]) -> list[float]:
        """Natural log scores of given sentences on the sound heard, comparable to one another.

        Each costs one pass over the sound with a grammar of one sentence: 8 ms a second of it.
        A text that cannot be laid over the sound gets ``-inf``.
        """
        mean = self._mean() if self._samples and texts else ""
        return [self._score(text, mean) for text in texts]

    def among(self, texts: Sequence[str]) -> Hypothesis | None:
        """Which of given sentences was said; None when none can be laid over the sound.

        Its ratio tells whether it was any of them; 0 when the loop does not run.
        """
        if not self._samples:
            return None
        for word in {word for text in texts for word in text.split()}:
            self._teach(word)
        mean = self._mean()
        self._use("given", of_texts(texts))
        self._run(self._decoder, "given", mean)
        found = self._decoder.hyp()
        text = words(found.hypstr) if found else ""
        if not text:
            return None
        score = nats(found.score)
        ratio = self._ratio(self._loop, text, score, mean) if self._loop else 0.0
        return Hypothesis(text, None, score, ratio)

    def _score(self, text: str, mean: str) -> float:
        if not text or not mean:
            return -math.inf
        for word in text.split():
            self._teach(word)
        self._use("given", of_texts([text]))
        self._run(self._decoder, "given", mean)
        found = self._decoder.hyp()
        return nats(found.score) if found and words(found.hypstr) == text else -math.inf

    def _decode(self) -> Hypotheses:
        if not self._samples:
            return Hypotheses()
        mean = self._mean()
        self._run(self._decoder, "home", mean)
        found, frames = self._decoder.hyp(), self._decoder.n_frames()
        text = words(found.hypstr) if found else ""
        if not text:
            return Hypotheses((), frames, self.settings.accept)
        score = nats(found.score)
        ratio = self._ratio(self._loop, text, score, mean) if self._loop else 0.0
        reading = Hypothesis(text, self._grammar.interpret(text), score, ratio)
        return Hypotheses((reading,), frames, self.settings.accept)

    def _ratio(self, loop: Any, text: str, score: float, mean: str) -> float:
        self._run(loop, "phones", mean)
        free = loop.hyp()
        spoken, covered = voiced(loop), voiced(self._decoder)
        if free is None or covered < self.settings.cover * spoken:
            return UNCOVERED
        # By letters and not by frames: silence, and slow speech the words do not fit, count fully.
        usual = _LETTER_FRAMES * len(text.replace(" ", ""))
        return max(_FREEDOM + (score - nats(free.score)) / usual, UNCOVERED)

    def _mean(self) -> str:
        """The cepstral mean of the utterance, as pocketsphinx writes it."""
        # Only a fresh front end takes the mean of what it is given; an older one mixes it with the
        # past. A whole utterance at once is normalised by its own mean, which can then be kept.
        self._decoder.reinit_feat()
        self._run(self._decoder, "level", None)
        return str(self._decoder.get_cmn())

    def _run(self, decoder: Any, search: str, mean: str | None) -> None:
        """One pass over the sound; without a mean as one whole, to find it."""
        decoder.activate_search(search)
        if mean is not None:
            decoder.set_cmn(mean)
        decoder.start_utt()
        sound = np.concatenate(self._sound)
        # pocketsphinx drops what exceeds its five seconds of feature buffer in one call.
        pieces = [sound] if mean is None else np.array_split(sound, 1 + len(sound) // SAMPLE_RATE)
        for piece in pieces:
            decoder.process_raw(piece.tobytes(), full_utt=mean is None)
        decoder.end_utt()

    def _teach(self, word: str) -> None:
        if word != SILENCE and self._decoder.lookup_word(word) is None:
            self._decoder.add_word(word, " ".join(compound(word, self._phones)), False)

    def _phones(self, word: str) -> tuple[str, ...] | None:
        found = self._decoder.lookup_word(word)
        return tuple(found.split()) if found else None

    def _use(self, name: str, states: FiniteState) -> None:
        graph = self._decoder.create_fsg(name, 0, states.final, list(states.transitions))
        self._decoder.add_fsg(name, graph)
