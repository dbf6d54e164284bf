"""GLM-4-Voice streamed by us against the naive way, with the same weights and the same ids.

Naive is what the published demonstration does: nothing is done while the user speaks; then all of
the speech is encoded, the whole prompt is read, and the speech decoder waits for 25, 50, 100, 150
and 200 codes and each time solves the reply again from its beginning.

The ids of the reply are given, so that both ways write the same number of them, whatever random
weights would say. Times are processor time of one thread: other programs do not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from device.speech.glm_flow import LONGEST, GlmFlow
from device.speech.glm_releasing import Upstream
from device.speech.glm_speaking import GlmSpeaking, GlmVoice
from device.speech.glm_tokenizer import GlmTokenizer
from device.speech.glm_vocoder import GlmVocoder
from device.speech.harmonic_source import HOP
from device.speech.language_model import LanguageModel
from services.language import glm_prompt as prompt
from services.language.glm_vocabulary import GlmVocabulary
from services.voice.families.base import Pcm
from services.voice.families.glm_4_voice import Glm4Voice

UTTERANCE_S = 10.0
CODES = 100  # of the reply: 8 s
BLOCK = 10
NAIVE_BLOCKS = (25, 50, 100, 150, 200)
REPEATS = 3
SEED = 7
STAGES = ("hear", "read", "write", "sound")


@dataclass
class Turn:
    """One timed turn: seconds by stage until the first sound and until the end."""

    first: dict[str, float] = field(default_factory=dict)
    total: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    samples: int = 0

    def time(self, stage: str, work: Callable[[], Any]) -> Any:
        start = time.process_time()
        found = work()
        self.total[stage] += time.process_time() - start
        return found

    def heard(self, pcm: Pcm) -> None:
        if len(pcm) and not self.samples:
            self.first = dict(self.total)
        self.samples += len(pcm)


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
    """What both ways are given."""

    pcm: Pcm
    ids: tuple[int, ...]
    """Of the reply, in the order of the schedule."""

    @classmethod
    def of(cls, model: Glm4Voice) -> Asked:
        rng, v = np.random.default_rng(SEED), model.conversation.vocabulary
        samples = round(UTTERANCE_S * 16_000)
        swell = 0.6 + 0.4 * np.sin(np.arange(samples) / 3_000)
        pcm = (0.1 * swell * rng.standard_normal(samples)).astype(np.float32)
        cursor, ids, codes = model.schedule.cursor(), list[int](), 0
        while codes < CODES:
            audio = cursor.advance() == "audio"
            low, high = (v.first_code, v.first_code + v.codes) if audio else (0, v.text_ids)
            ids.append(int(rng.integers(low, high)))
            codes += audio
        return cls(pcm, tuple(ids))


def ours(model: Glm4Voice, asked: Asked) -> Turn:
    """What can be done while the user speaks is done then, and not counted."""
    v, lm, turn = model.conversation.vocabulary, model.conversation.lm, Turn()
    lm.cut(0)
    lm.read(prompt.opening(v) + prompt.user_open(v))
    first, tokenizer = lm.length, GlmTokenizer(model.tokenizer)
    for at in range(0, len(asked.pcm), 640):
        _take(lm, v, first, tokenizer.hear(asked.pcm[at : at + 640]))
    found = turn.time("hear", tokenizer.finish)
    turn.time("read", lambda: _take(lm, v, first, found))
    turn.time("read", lambda: lm.read(prompt.user_close(v) + prompt.reply_open(v)))
    _reply(turn, lm, v, asked, GlmSpeaking(model.voice, SEED).say, iter(lambda: BLOCK, 0))
    return turn


def naive(model: Glm4Voice, asked: Asked) -> Turn:
    """Everything after the end of speech, and again for every block."""
    v, lm, turn = model.conversation.vocabulary, model.conversation.lm, Turn()
    lm.cut(0)
    tokenizer = GlmTokenizer(model.tokenizer)
    found = turn.time("hear", lambda: [*tokenizer.hear(asked.pcm), *tokenizer.finish()])
    codes = np.concatenate([heard.codes for heard in found]).tolist()
    ids = prompt.opening(v) + prompt.user_speech(v, codes) + prompt.reply_open(v)
    turn.time("read", lambda: lm.read(ids))
    sizes = iter([*NAIVE_BLOCKS, *[NAIVE_BLOCKS[-1]] * CODES])
    _reply(turn, lm, v, asked, NaiveSpeaking(model.voice).say, sizes)
    return turn


def _take(lm: LanguageModel, v: GlmVocabulary, first: int, found: Sequence[Any]) -> None:
    for heard in found:
        lm.cut(first + heard.first)
        lm.read(v.audio(heard.codes.tolist()))


def _reply(
    turn: Turn,
    lm: LanguageModel,
    v: GlmVocabulary,
    asked: Asked,
    say: Callable[..., Pcm],
    sizes: Iterator[int],
) -> None:
    """Write the ids and make sound of the codes in blocks of these sizes."""
    codes, wanted, left = list[int](), next(sizes), CODES
    for token in asked.ids:
        turn.time("write", partial(lm.read, [token]))
        if not v.is_audio(token):
            continue
        codes.append(token - v.first_code)
        left -= 1
        if len(codes) >= wanted or not left:
            block, codes, wanted = codes, [], next(sizes)
            turn.heard(turn.time("sound", partial(say, block, last=not left)))


def measure(model: Glm4Voice, repeats: int = REPEATS) -> dict[str, Any]:
    """Both ways in turns; medians, in milliseconds, and our time divided by the naive one."""
    asked = Asked.of(model)
    ways: dict[str, list[Turn]] = {"ours": [], "naive": []}
    for _ in range(repeats):
        ways["ours"].append(ours(model, asked))
        ways["naive"].append(naive(model, asked))
    table: dict[str, Any] = {"utterance_s": UTTERANCE_S, "reply_codes": CODES, "repeats": repeats}
    for what in ("first", "total"):
        sums = {name: [getattr(t, what) for t in turns] for name, turns in ways.items()}
        ms = {name: median(1000 * sum(t.values()) for t in all_) for name, all_ in sums.items()}
        stages = {
            name: {s: round(median(1000 * t[s] for t in all_), 1) for s in STAGES}
            for name, all_ in sums.items()
        }
        sound = {name: stages[name]["sound"] for name in stages}
        table["first_audio" if what == "first" else what] = {
            "ours_ms": round(ms["ours"], 1),
            "naive_ms": round(ms["naive"], 1),
            "ratio": round(ms["ours"] / ms["naive"], 3),
            "decoder_alone_ratio": round(sound["ours"] / sound["naive"], 3),
            "stages_ms": stages,
        }
    table["samples"] = {name: turns[-1].samples for name, turns in ways.items()}
    return table


def lines_of(table: dict[str, Any]) -> list[str]:
    """The same for people."""
    out = [f"{table['utterance_s']:.0f} s heard, {table['reply_codes']} codes said; processor ms"]
    for what in ("first_audio", "total"):
        row = table[what]
        out.append(
            f"  {what:12} ours {row['ours_ms']:8.0f}  naive {row['naive_ms']:8.0f}  "
            f"ratio {row['ratio']:.2f}  (decoder alone {row['decoder_alone_ratio']:.2f})"
        )
        for name, stages in row["stages_ms"].items():
            out.append(f"    {name:10} " + "  ".join(f"{s} {ms:.0f}" for s, ms in stages.items()))
    return out
