"""GLM-4-Voice's codes to sound as they come: flow, what of it is final, vocoder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from device.engine.contract import Engine
from device.speech.glm_flow import FlowEngines, GlmFlow
from device.speech.glm_frames import HELD, STEPS, TOKENS, frames_of
from device.speech.glm_releasing import Released, Releasing
from device.speech.glm_vocoder import REACH, GlmVocoder
from device.speech.harmonic_source import SAMPLE_RATE

Floats = npt.NDArray[np.float32]

KNOWN = 14
"""Codes of a window that must have been said before, so that a block joins what it follows."""
MOST = TOKENS - KNOWN
"""New codes of a window."""
OPENING = 10
"""Frames of a reply's first piece of sound, 0.12 s: while they are heard the others are decoded."""

__all__ = ["SAMPLE_RATE", "GlmSpeaking", "GlmVoice"]


@dataclass(frozen=True)
class GlmVoice:
    """The engines of the speech decoder.

    Args:
        widest, steps: see ``GlmFlow``.
    """

    flow: FlowEngines
    pitch: Engine
    decode: Engine
    widest: int = TOKENS
    steps: int = STEPS

    def pitch_of(self, mel: Floats) -> Floats:
        """mel [80, T] → Hz [T]."""
        feeds = {"mel": np.ascontiguousarray(mel[None])}
        hz: Floats = self.pitch.run(feeds)["pitch"][0].astype(np.float32)
        return hz

    def wave_of(self, mel: Floats, waves: Floats) -> Floats:
        """mel [80, T] and excitation [T, 256, 9] → samples [T, 256]."""
        feeds = {"mel": np.ascontiguousarray(mel[None]), "waves": np.ascontiguousarray(waves)}
        wave: Floats = self.decode.run(feeds)["wave"].astype(np.float32)
        return wave


@dataclass(frozen=True)
class Rates:
    """Seconds that the newest work took for a frame."""

    solve_s: float
    """Of the window that is solved."""
    voice_s: float
    """Of the sound, with those around it."""

    def block_s(self, codes: int, new: int) -> float:
        """Until there is sound of the newest ``new`` of so many codes."""
        if codes == new:
            rest = max(0, frames_of(codes) - HELD - OPENING) + 2 * REACH
            return self.opening_s(codes) + self.voice_s * rest
        window = frames_of(min(codes, TOKENS))
        return self.solve_s * window + self.voice_s * (frames_of(new) + 2 * REACH)

    def opening_s(self, codes: int) -> float:
        """Until there is the first piece of sound of a reply's first codes."""
        return self.solve_s * frames_of(min(codes, TOKENS)) + self.voice_s * (OPENING + REACH)


class GlmSpeaking:
    """The state of one reply; ``say`` any number of codes at a time, then ``finish``.

    Args:
        voice: the engines.
        seed: of the noise of flow and vocoder.
        releasing: another counting of frames, for tests.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        voice: GlmVoice,
        seed: int,
        releasing: Releasing | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rates = Rates(0.0, 0.0)
        self._clock = clock
        self._widest, self._most = voice.widest, voice.widest - KNOWN
        self._flow = GlmFlow(voice.flow, seed, voice.widest, voice.steps)
        self._vocoder = GlmVocoder(voice.pitch_of, voice.wave_of, seed)
        self._releasing = Releasing() if releasing is None else releasing

    @property
    def codes(self) -> int:
        """Codes said so far."""
        return self._flow.tokens

    def say(self, codes: Sequence[int], *, last: bool = False) -> Floats:
        """Codes → float32[256 k] at 22,050 Hz that is certain now; see ``pieces``."""
        return np.concatenate([_SILENT, *self.pieces(codes, last=last)])

    def pieces(self, codes: Sequence[int], *, last: bool = False) -> Iterator[Floats]:
        """The same sound, each piece of it as soon as it is made.

        Args:
            codes: ten or a multiple of it makes the least work.
            last: nothing follows; ``finish`` need not be called.
        """
        if not codes and last:
            yield self.finish()
        for at in range(0, len(codes), self._most):
            block = codes[at : at + self._most]
            yield from self._block(block, last and at + self._most >= len(codes))

    def finish(self) -> Floats:
        """The sound still held back."""
        return np.concatenate([_SILENT, *self._sound(self._releasing.finish(), True)])

    def _block(self, codes: Sequence[int], last: bool) -> Iterator[Floats]:
        begun = self._clock()
        made = self._flow.step(codes, self._releasing.prompt)
        window = frames_of(min(self.codes, self._widest))
        self.rates = replace(self.rates, solve_s=(self._clock() - begun) / max(window, 1))
        return self._sound(self._releasing.take(made, last=last), last)

    def _sound(self, released: Released, last: bool) -> Iterator[Floats]:
        if last and not released.frames.shape[1] and not self.codes:
            return
        frames, ahead = released.frames, released.ahead
        if not self._vocoder.decoded:
            rest = frames[:, OPENING:]
            yield self._voiced(frames[:, :OPENING], np.concatenate([rest, ahead], axis=1), False)
            frames = rest
        yield self._voiced(frames, ahead, last)

    def _voiced(self, frames: Floats, ahead: Floats, last: bool) -> Floats:
        begun = self._clock()
        around = REACH * (1 + bool(self._vocoder.decoded))
        pcm = self._vocoder.step(frames, ahead, last=last)
        took = (self._clock() - begun) / (frames.shape[1] + around)
        self.rates = replace(self.rates, voice_s=took)
        return pcm


_SILENT: Floats = np.zeros(0, np.float32)
