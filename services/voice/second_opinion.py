"""A second opinion that has heard people: pocketsphinx listening for this home's sentences.

    opinion = PocketsphinxOpinion(home)
    opinion.start()
    opinion.hear(pcm)            # 16 kHz float32, while the user speaks
    opinion.peek()               # at a pause: most likely the end, so decode ahead
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
from services.language.finite_state import FiniteState, of_grammar, of_texts
from services.language.grammar import compile_grammar
from services.language.homeview import HomeView
from services.language.pronounce import compound

SAMPLE_RATE = 16_000
_NATS = 1024.0  # pocketsphinx keeps path scores divided by this
_QUIET = "<sil>"


class RecogniserMissing(RuntimeError):
    """pocketsphinx is not installed."""


@dataclass(frozen=True)
class SphinxSettings:
    """How pocketsphinx searches; the defaults are what ``model_export.tuning`` found."""

    beam: float = 1e-48
    """Least probability of a state, relative to the best."""
    word_beam: float = 7e-29
    phone_beam: float = 1e-48
    most_states: int = 5000
    """States that may live in one frame."""
    language_weight: float = 6.5
    word_insertion: float = 0.65
    ahead_s: float = 0.8
    """``finish`` takes over what ``peek`` found when no more sound than this came since."""
    loop: bool = True
    """Run the phone loop for rejection: half of the work."""
    accept: float = -0.6
    """Least grammar score over the phone loop's, nats per frame, for a call to be trusted."""
    longest_s: float = 20.0
    """Sound after this is not heard any more, in seconds."""


@dataclass(frozen=True)
class Hypothesis:
    """One reading."""

    text: str
    call: Call | None
    score: float
    """Natural log of the best path's score, relative to this utterance's other readings."""
    ratio: float
    """Nats per frame over the free phone loop; 0 when that does not run."""


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
        self._decoder = _decoder(self.settings)
        for word in self._grammar.words:
            self._teach(word)
        self._use("home", of_grammar(self._grammar))
        # Hearing nothing but silence is the cheapest way to make the front end work.
        self._use("level", of_texts([_QUIET]))
        self._loop = _loop(self.settings) if self.settings.loop else None
        self.start()

    def start(self) -> None:
        """Forget what was heard and listen anew."""
        self._sound: list[NDArray[np.int16]] = []
        self._samples = 0
        self._ahead: tuple[int, Hypotheses] | None = None

    def hear(self, pcm: NDArray[np.float32]) -> None:
        """Take sound: float32[n] at 16 kHz, any n."""
        room = int(self.settings.longest_s * SAMPLE_RATE) - self._samples
        chunk = np.clip(pcm[: max(room, 0)] * 32767.0, -32768, 32767).astype(np.int16)
        self._sound.append(chunk)
        self._samples += len(chunk)

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
        """Natural log scores of given sentences on the sound heard, comparable to a reading's.

        Each costs one pass over the sound with a grammar of one sentence, so keep them few.
        A text that cannot be laid over the sound gets ``-inf``.
        """
        mean = self._mean() if self._samples and texts else ""
        return [self._score(text, mean) for text in texts]

    def _score(self, text: str, mean: str) -> float:
        if not text or not mean:
            return -math.inf
        for word in text.split():
            self._teach(word)
        self._use("given", of_texts([text]))
        self._run(self._decoder, "given", mean)
        found = self._decoder.hyp()
        return _nats(found.score) if found and _words(found.hypstr) == text else -math.inf

    def _decode(self) -> Hypotheses:
        if not self._samples:
            return Hypotheses()
        mean = self._mean()
        self._run(self._decoder, "home", mean)
        found, frames = self._decoder.hyp(), self._decoder.n_frames()
        text = _words(found.hypstr) if found else ""
        if not text:
            return Hypotheses((), frames, self.settings.accept)
        score, ratio = _nats(found.score), 0.0
        if self._loop:
            self._run(self._loop, "phones", mean)
            free = self._loop.hyp()
            ratio = (score - _nats(free.score)) / frames if free else 0.0
        reading = Hypothesis(text, self._grammar.interpret(text), score, ratio)
        return Hypotheses((reading,), frames, self.settings.accept)

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
        decoder.process_raw(np.concatenate(self._sound).tobytes(), full_utt=mean is None)
        decoder.end_utt()

    def _teach(self, word: str) -> None:
        if word != _QUIET and self._decoder.lookup_word(word) is None:
            self._decoder.add_word(word, " ".join(compound(word, self._phones)), False)

    def _phones(self, word: str) -> tuple[str, ...] | None:
        found = self._decoder.lookup_word(word)
        return tuple(found.split()) if found else None

    def _use(self, name: str, states: FiniteState) -> None:
        graph = self._decoder.create_fsg(name, 0, states.final, list(states.transitions))
        self._decoder.add_fsg(name, graph)


def _decoder(settings: SphinxSettings, **more: Any) -> Any:
    try:
        import pocketsphinx
    except ImportError:
        raise RecogniserMissing(
            "pocketsphinx is not installed: pip install 'linnet[recogniser]', "
            "or choose a family without a second opinion"
        ) from None
    chosen = {
        "beam": settings.beam, "wbeam": settings.word_beam, "pbeam": settings.phone_beam,
        "maxhmmpf": settings.most_states, "lw": settings.language_weight,
        "wip": settings.word_insertion,
    }  # fmt: skip
    # Silence is in the grammar where it may be; fillers everywhere would double the search.
    quiet = {"lm": None, "loglevel": "FATAL", "fsgusefiller": False, "bestpath": False}
    return pocketsphinx.Decoder(pocketsphinx.Config(**{**quiet, **chosen, **more}))


def _loop(settings: SphinxSettings) -> Any:
    """A decoder that may hear any phone after any other."""
    import pocketsphinx

    loop = _decoder(settings, beam=1e-30, pbeam=1e-30)
    loop.add_allphone_file("phones", pocketsphinx.get_model_path("en-us/en-us-phone.lm.bin"))
    loop.activate_search("phones")
    return loop


def _nats(score: float) -> float:
    return math.log(score) * _NATS if score > 0 else -math.inf


def _words(text: str) -> str:
    return " ".join(word for word in text.split() if word[0] not in "<[+")
