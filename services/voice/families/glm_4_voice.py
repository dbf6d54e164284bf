"""GLM-4-Voice on engines: streaming tokenizer → the 9 B → flow and vocoder, numpy alone around.

While the user speaks, each block of 4 s becomes codes that the language model reads at once. When
the user falls quiet the last block is taken as if this were the end, so that nothing is left to do
when it is; when more is said, that is forgotten. The model was published without function calling,
so a call is not left to it: it may only choose among the calls this home understands, or to answer
in its own words. What it says of a call's outcome is one of the true sentences; the sound is the
model's own.
"""

from __future__ import annotations

import codecs
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from device.bundle import Bundle
from device.engine.contract import Engine
from device.speech.glm_flow import FlowEngines
from device.speech.glm_speaking import SAMPLE_RATE, GlmSpeaking, GlmVoice
from device.speech.glm_tokenizer import GlmTokenizer, Heard
from device.speech.language_model import Floats
from services.language import glm_prompt as prompt
from services.language.calls import Call
from services.language.choices import Choices, calls_of
from services.language.glm_vocabulary import GlmVocabulary
from services.language.grammar import compile_grammar
from services.language.homeview import HomeView
from services.language.outcome import Outcome
from services.language.replies import replies
from services.language.sampling import Draws, Sampler, Sampling
from services.language.schedule import InterleaveSchedule
from services.voice.families.base import Event, FunctionCall, Pcm, TextDelta, TurnEnd
from services.voice.families.glm_conversation import Conversation
from services.voice.families.glm_mouth import Mouth
from services.voice.families.glm_pacing import Pacing
from services.voice.families.glm_writing import Writing
from services.voice.families.linnet_mini import EngineOpener, number
from services.voice.pause import PauseWatch

CODE_SAMPLES = 1_764  # 80 ms at 22,050 Hz
AHEAD_S = 0.8
"""Quiet after a pause that may be left out; longer than that, somebody may be speaking softly."""


@dataclass(frozen=True)
class Glm4Voice:
    """A loaded bundle of the family. One conversation goes through all its sessions.

    Attributes:
        calling: whether the model may choose calls; else it only talks.
        seed: of tokens and of noise; the same seed says the same.
        clock: monotonic seconds.
        drawing: makes what chooses the ids of a reply, from ``sampling`` and ``seed``.
    """

    conversation: Conversation
    tokenizer: Engine
    voice: GlmVoice
    schedule: InterleaveSchedule
    sampling: Sampling = field(default_factory=Sampling)
    calling: bool = True
    seed: int = 42
    clock: Callable[[], float] = time.monotonic
    sample_rate_out: int = SAMPLE_RATE
    drawing: Callable[[Sampling, int], Draws] = Sampler

    @classmethod
    def open(
        cls,
        bundle: Bundle,
        engines: EngineOpener,
        *,
        calling: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> Glm4Voice:
        """Open every part of a bundle.

        Raises:
            BundleError, EngineError: see them; a part is missing or does not load.
            ValueError: the vocabulary or a number in the bundle is not readable.
        """
        manifest, config = bundle.manifest, bundle.manifest.config
        vocabulary = GlmVocabulary.load(bundle.file("vocabulary"), number(config, "codes"))
        flow = FlowEngines(
            engines(bundle, "flow_encoder"),
            engines(bundle, "flow_regulator"),
            engines(bundle, "flow_estimator"),
        )
        return cls(
            Conversation(engines(bundle, "lm"), number(config, "lm_max_len"), vocabulary),
            engines(bundle, "tokenizer"),
            GlmVoice(flow, engines(bundle, "hift_pitch"), engines(bundle, "hift_decode")),
            InterleaveSchedule(manifest.schedule.text, manifest.schedule.audio),
            _sampling(config),
            calling,
            clock=clock,
        )

    def session(self, home: HomeView) -> GlmSession:
        return GlmSession(self, home)


class GlmSession:
    """One turn."""

    def __init__(self, model: Glm4Voice, home: HomeView) -> None:
        self._model, self._home = model, home
        self._talk = model.conversation
        self._talk.begin(self)
        self._tokenizer: GlmTokenizer | None = GlmTokenizer(model.tokenizer)
        self._first = self._talk.lm.length  # where the first code stands
        self._watch = PauseWatch()
        self._ahead: Floats | None = None
        """What the model expects to say, should the user have ended where they fell quiet."""
        self._quiet: list[Pcm] = []  # heard since then
        self._writing: Writing | None = None
        self._over = False
        self._cancelled = threading.Event()

    def hear(self, pcm: Pcm) -> None:
        if self._tokenizer is None:
            return
        fell_quiet = self._watch.feed(pcm)
        if self._ahead is not None:
            self._quiet.append(pcm)
            if self._watch.paused and sum(map(len, self._quiet)) <= AHEAD_S * 16_000:
                return
            pcm = self._resumed()
        self._take(self._tokenizer.hear(pcm))
        if fell_quiet and self._watch.paused:
            self._ahead = self._talk.read(self._closing(self._tokenizer.peek()))

    def _resumed(self) -> Pcm:
        """That may not have been the end: the sound since then, of which nothing was made yet."""
        if self._ahead is not None and self._tokenizer is not None:
            self._talk.lm.cut(self._first + self._tokenizer.settled)
        self._ahead, held = None, self._quiet
        self._quiet = []
        return np.concatenate([*held, np.zeros(0, np.float32)])

    def _take(self, found: Sequence[Heard]) -> None:
        for heard in found:
            if ids := self._placed(heard):
                self._talk.read(ids)

    def _placed(self, heard: Heard) -> list[int]:
        """Ids to be read next; those that they replace are forgotten."""
        self._talk.lm.cut(self._first + heard.first)
        ids = self._talk.vocabulary.audio(heard.codes.tolist())
        return ids if self._talk.lm.room(len(ids)) else []

    def cancel(self) -> None:
        self._cancelled.set()

    def respond(self, observations: Sequence[Outcome]) -> Iterator[Event]:
        v = self._talk.vocabulary
        if observations:
            ids = prompt.observation(v, observations[0]) + prompt.reply_open(v)
            yield from self._speak(self._talk.read(ids), self._true_words(observations[0]))
            return
        logits = self._heard_out()
        if not self._model.calling:
            yield from self._speak(logits, None)
            return
        call, logits = self._chosen(logits)
        if call is not None:
            yield FunctionCall(call)
            yield TurnEnd("call")
        else:
            yield from self._speak(logits, None)

    def _heard_out(self) -> Floats:
        """What the model expects to say when the user has said everything."""
        logits = self._ahead
        if logits is None:
            found = [] if self._tokenizer is None else self._tokenizer.finish()
            logits = self._talk.read(self._closing(found))
        self._tokenizer = self._ahead = None
        return logits

    def _closing(self, found: Sequence[Heard]) -> list[int]:
        """The last codes and what opens a reply: read in one pass over the weights."""
        v = self._talk.vocabulary
        reply = prompt.assistant(v) if self._model.calling else prompt.reply_open(v)
        codes = [token for heard in found for token in self._placed(heard)]
        return codes + prompt.user_close(v) + reply

    def _chosen(self, logits: Floats) -> tuple[Call | None, Floats]:
        """The call that the model chooses, None when it would rather talk; and what follows."""
        v, talk = self._talk.vocabulary, self._talk
        choices, calls = _choices(v, self._home)
        cursor, said, unread = choices.cursor(), [], list[int]()
        while allowed := cursor.next:
            if len(allowed) > 1 and unread:
                logits, unread = talk.read(unread), []
            best = allowed[int(logits[allowed].argmax())] if len(allowed) > 1 else allowed[0]
            cursor.advance(best)
            said.append(best)
            unread.append(best)
        return calls.get(tuple(said)), talk.read(unread)

    def _true_words(self, outcome: Outcome) -> Callable[[Floats], str]:
        """All of the sentences are true; the model says the one it finds most natural."""
        v, run = self._talk.vocabulary, self._model.schedule.text
        return lambda logits: max(
            replies(outcome), key=lambda text: self._talk.lm.score(v.encode(text)[:run], logits)
        )

    def _speak(self, logits: Floats, words: Callable[[Floats], str] | None) -> Iterator[Event]:
        """Sound of the model's own words, or of those given."""
        model = self._model
        sampler = model.drawing(model.sampling, model.seed)
        stopped = self._cancelled.is_set
        self._writing = writing = Writing(self._talk, model.schedule, sampler, logits, stopped)
        ids = writing.free() if words is None else writing.told(words(logits))
        speaking = GlmSpeaking(model.voice, model.seed, clock=model.clock)
        mouth = Mouth(speaking, Pacing(model.schedule), model.clock, stopped)
        v, letters = self._talk.vocabulary, codecs.getincrementaldecoder("utf-8")("replace")
        for token in ids:
            if v.is_audio(token):
                yield from mouth.take(token - v.first_code)
                continue
            mouth.wrote()
            if text := letters.decode(v.text.decode_single_token_bytes(token)):
                yield TextDelta(text)
        if self._cancelled.is_set():
            yield TurnEnd("cancelled")
            return
        yield from mouth.finish()
        yield TurnEnd("done")

    @property
    def history_length(self) -> int:
        """Ids in the conversation."""
        return self._talk.lm.length

    def commit(self, samples_heard: int) -> None:
        """Keep of the turn what was played, and let go of everything else. Again does nothing."""
        if not self._over:
            heard = -(-samples_heard // CODE_SAMPLES)
            self._resumed()
            writing, length = self._writing, self._talk.lm.length
            self._talk.keep(self, length if writing is None else writing.until(heard))
        self._tokenizer = self._writing = None
        self._over = True


def _sampling(config: Mapping[str, object]) -> Sampling:
    """How to draw ids, where the bundle says it.

    Raises:
        ValueError: a number is out of range.
    """
    usual = Sampling()

    def given(name: str, otherwise: float) -> float:
        value = config.get(name)
        return value if isinstance(value, int | float) else otherwise

    top_k = int(given("top_k", usual.top_k))
    return Sampling(given("temperature", usual.temperature), given("top_p", usual.top_p), top_k)


@lru_cache(maxsize=4)
def _choices(v: GlmVocabulary, home: HomeView) -> tuple[Choices, dict[tuple[int, ...], Call]]:
    """What may stand behind ``<|assistant|>``: a call of this home, or the start of a reply."""
    calls = {tuple(v.encode(prompt.call_text(c))): c for c in calls_of(compile_grammar(home))}
    return Choices.of([*calls, tuple(v.encode(prompt.SPEAK))]), calls
