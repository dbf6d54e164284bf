"""GLM-4-Voice streamed by us against the naive way, with the same weights and the same ids.

Ours is the session that the box runs. Naive is what the published demonstration does: nothing is
done while the user speaks; then all of the speech is encoded, the whole conversation is read, and
the speech decoder waits for 25, 50, 100, 150 and 200 codes and each time solves the reply again
from its beginning.

Two turns are spoken, for the naive way keeps nothing from one to the next; and that twice: cut off
with the last word, as by a button, and with the silence by which a box knows the end. The ids of
the replies are given, so that both ways write the same number of them, whatever random weights
would say. Times are processor time of one thread, from when the end is known: other programs do not
count.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from device.bundle import Bundle
from device.engine.contract import Array, Engine, State
from device.speech.glm_flow import LONGEST, GlmFlow
from device.speech.glm_releasing import Upstream
from device.speech.glm_speaking import GlmVoice
from device.speech.glm_tokenizer import codes_of
from device.speech.glm_vocoder import GlmVocoder
from device.speech.harmonic_source import HOP
from services.language import glm_prompt as prompt
from services.language.homeview import HomeView
from services.voice.endpoint import EndpointConfig
from services.voice.families.base import AudioDelta, Pcm
from services.voice.families.glm_4_voice import Glm4Voice
from services.voice.families.linnet_mini import EngineOpener

UTTERANCE_S = 10.0
CODES = 100  # of a reply: 8 s
FRAME = 640  # samples that the microphone gives at once
NAIVE_BLOCKS = (25, 50, 100, 150, 200)
REPEATS = 3
SEED = 7
SILENCE_S = EndpointConfig().trailing_silence_ms / 1000
ENDS = {"cut": 0.0, "silence": SILENCE_S}
"""How the end of speech is known: seconds of silence behind it."""
TURNS = ("first", "second")
STAGES = ("hear", "read", "write", "sound", "rest")
_STAGE_OF = {"tokenizer": "hear", "lm": "write"}  # all others are the speech decoder


@dataclass
class Turn:
    """One timed turn: seconds by stage until the first sound and until the end."""

    first: dict[str, float] = field(default_factory=dict)
    total: dict[str, float] = field(default_factory=dict)
    pieces: list[int] = field(default_factory=list)
    """Samples of each piece of sound."""


class Meter:
    """Processor seconds since the end of speech, by what they were spent on."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """The user has stopped to speak."""
        self.turn, self.replying = Turn(), False
        self._spent = dict.fromkeys(STAGES, 0.0)
        self._begun = time.process_time()

    def spend(self, part: str, seconds: float) -> None:
        stage = _STAGE_OF.get(part, "sound")
        self._spent["read" if stage == "write" and not self.replying else stage] += seconds

    def heard(self, pcm: Pcm) -> None:
        """A piece of the reply may be played."""
        if len(pcm) and not self.turn.pieces:
            self.turn.first = self.so_far()
        self.turn.pieces += [len(pcm)] if len(pcm) else []

    def end(self) -> Turn:
        self.turn.total = self.so_far()
        return self.turn

    def so_far(self) -> dict[str, float]:
        all_ = time.process_time() - self._begun
        return self._spent | {"rest": all_ - sum(self._spent.values())}


class Metered:
    """An engine whose runs are timed."""

    def __init__(self, engine: Engine, part: str, meter: Meter) -> None:
        self.spec, self.backend, self.new_state = engine.spec, engine.backend, engine.new_state
        self.warm_up, self.close = engine.warm_up, engine.close
        self._engine, self._part, self._meter = engine, part, meter

    def run(self, feeds: Mapping[str, Array], state: State | None = None) -> dict[str, Array]:
        start = time.process_time()
        found = self._engine.run(feeds, state)
        self._meter.spend(self._part, time.process_time() - start)
        return found


class NaiveSpeaking:
    """The published way to make sound: every block solves all codes so far, without caches."""

    def __init__(self, voice: GlmVoice) -> None:
        self._voice, self._codes = voice, list[int]()
        self._releasing = Upstream()
        self._vocoder_frame = np.zeros((80, 0), np.float32)

    def say(self, codes: Sequence[int], *, last: bool = False) -> Pcm:
        """Codes → their sound, but for what is held back."""
        voice = self._voice
        self._codes += codes
        flow = GlmFlow(voice.flow, SEED, LONGEST, voice.steps)
        made = flow.step(self._codes, self._releasing.prompt)
        frames = self._releasing.take(made, last=last).frames
        mel = np.concatenate([self._vocoder_frame, frames], axis=1)
        self._vocoder_frame = mel[:, -1:]
        pcm = GlmVocoder(voice.pitch_of, voice.wave_of, SEED).step(mel, last=True)
        return pcm if last else pcm[:-HOP]  # the kept frame will be said again


@dataclass(frozen=True)
class Asked:
    """What both ways are given for a turn."""

    pcm: Pcm
    ids: tuple[int, ...]
    """Of the reply, in the order of the schedule; the last ends it."""

    @classmethod
    def of(cls, model: Glm4Voice, seed: int, silence_s: float) -> Asked:
        rng, v = np.random.default_rng(seed), model.conversation.vocabulary
        samples = round(UTTERANCE_S * 16_000)
        swell = 0.6 + 0.4 * np.sin(np.arange(samples) / 3_000)
        swell = np.append(swell, np.full(round(silence_s * 16_000), 1e-3))
        pcm = (0.1 * swell * rng.standard_normal(len(swell))).astype(np.float32)
        cursor, ids, codes = model.schedule.cursor(), list[int](), 0
        while codes < CODES:
            audio = cursor.advance() == "audio"
            low, high = (v.first_code, v.first_code + v.codes) if audio else (0, v.text_ids)
            ids.append(int(rng.integers(low, high)))
            codes += audio
        return cls(pcm, (*ids, v.tag("<|user|>")))


class Given:
    """Draws the ids that it was given, whatever the model would say."""

    def __init__(self, meter: Meter, ids: Sequence[int]) -> None:
        self._meter, self._ids = meter, iter(ids)

    def draw(self, logits: npt.NDArray[np.float32], allowed: npt.NDArray[np.bool_]) -> int:
        self._meter.replying = True
        return next(self._ids)


def ours(model: Glm4Voice, meter: Meter, turns: Sequence[Asked]) -> list[Turn]:
    """The session; what it does while the user speaks is not counted, as nobody waits for it."""
    model.conversation.forget()
    done = list[Turn]()
    for asked in turns:
        session = _scripted(model, meter, asked.ids).session(HomeView((), ()))
        for at in range(0, len(asked.pcm), FRAME):
            session.hear(asked.pcm[at : at + FRAME])
        meter.begin()
        for event in session.respond([]):
            if isinstance(event, AudioDelta):
                meter.heard(event.pcm)
        done.append(meter.end())
        session.commit(sum(done[-1].pieces))
    return done


def _scripted(model: Glm4Voice, meter: Meter, ids: Sequence[int]) -> Glm4Voice:
    """The same model and conversation, but these ids are what it says."""
    return replace(model, clock=time.process_time, drawing=lambda *_: Given(meter, ids))


def naive(model: Glm4Voice, meter: Meter, turns: Sequence[Asked]) -> list[Turn]:
    """Everything after the end of speech, and again for every block and every turn."""
    v, lm, done = model.conversation.vocabulary, model.conversation.lm, list[Turn]()
    history = prompt.opening(v)
    for asked in turns:
        meter.begin()
        codes = codes_of(model.tokenizer, asked.pcm)
        history += prompt.user_speech(v, codes) + prompt.reply_open(v)
        lm.cut(0)
        lm.read(history)
        meter.replying = True
        for pcm in _naive_reply(model, asked.ids):
            meter.heard(pcm)
        history += asked.ids[:-1]
        done.append(meter.end())
    return done


def _naive_reply(model: Glm4Voice, ids: Sequence[int]) -> Iterator[Pcm]:
    """Each id is drawn, given away and then read; the end of the reply lets the last sound out."""
    v, lm = model.conversation.vocabulary, model.conversation.lm
    say, codes = NaiveSpeaking(model.voice).say, list[int]()
    sizes = iter([*NAIVE_BLOCKS, *[NAIVE_BLOCKS[-1]] * CODES])
    wanted = next(sizes)
    for token in ids[:-1]:
        if v.is_audio(token):
            codes.append(token - v.first_code)
            if len(codes) >= wanted:
                yield say(codes)
                codes, wanted = [], next(sizes)
        lm.read([token])
    yield say(codes, last=True)


def measure(bundle: Bundle, engines: EngineOpener, repeats: int = REPEATS) -> dict[str, Any]:
    """Both ways in turns; medians, in milliseconds, and our time divided by the naive one."""
    meter = Meter()
    model = Glm4Voice.open(
        bundle, lambda b, part: Metered(engines(b, part), part, meter), calling=False
    )
    table: dict[str, Any] = {"utterance_s": UTTERANCE_S, "reply_codes": CODES, "repeats": repeats}
    for end, silence_s in ENDS.items():
        turns = [Asked.of(model, SEED + number, silence_s) for number in range(len(TURNS))]
        done: dict[str, list[list[Turn]]] = {"ours": [], "naive": []}
        for _ in range(repeats):
            done["ours"].append(ours(model, meter, turns))
            done["naive"].append(naive(model, meter, turns))
        table[end] = {turn: _turn(done, number) for number, turn in enumerate(TURNS)}
    return table


def _turn(done: Mapping[str, Sequence[Sequence[Turn]]], number: int) -> dict[str, Any]:
    runs = {name: [run[number] for run in all_] for name, all_ in done.items()}
    return {
        "first_audio": _row({name: [t.first for t in all_] for name, all_ in runs.items()}),
        "total": _row({name: [t.total for t in all_] for name, all_ in runs.items()}),
        "samples": {name: sum(all_[-1].pieces) for name, all_ in runs.items()},
    }


def _row(times: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    ms = {name: median(1000 * sum(t.values()) for t in all_) for name, all_ in times.items()}
    stages = {
        name: {stage: round(median(1000 * t[stage] for t in all_), 1) for stage in STAGES}
        for name, all_ in times.items()
    }
    return {
        "ours_ms": round(ms["ours"], 1),
        "naive_ms": round(ms["naive"], 1),
        "ratio": round(ms["ours"] / ms["naive"], 3),
        "stages_ms": stages,
    }


def lines_of(table: dict[str, Any]) -> list[str]:
    """The same for people."""
    out = [f"{table['utterance_s']:.0f} s heard, {table['reply_codes']} codes said; processor ms"]
    for end, turn, what in product(ENDS, TURNS, ("first_audio", "total")):
        row = table[end][turn][what]
        name = f"{end}, {turn} turn, {what}".replace("_", " ")
        out.append(
            f"  {name:34} ours {row['ours_ms']:6.0f}  naive {row['naive_ms']:6.0f}  "
            f"ratio {row['ratio']:.3f}"
        )
        for way, stages in row["stages_ms"].items():
            spent = "  ".join(f"{stage} {ms:.0f}" for stage, ms in stages.items())
            out.append(f"    {way:6} {spent}")
    return out
