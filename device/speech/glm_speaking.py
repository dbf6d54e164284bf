"""GLM-4-Voice's codes to sound as they come: flow, what of it is final, vocoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.engine.contract import Engine
from device.speech.glm_flow import FlowEngines, GlmFlow
from device.speech.glm_frames import STEPS, TOKENS
from device.speech.glm_releasing import Released, Releasing
from device.speech.glm_vocoder import GlmVocoder
from device.speech.harmonic_source import SAMPLE_RATE

Floats = npt.NDArray[np.float32]

KNOWN = 14
"""Codes of a window that must have been said before, so that a block joins what it follows."""

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


class GlmSpeaking:
    """The state of one reply; ``say`` any number of codes at a time, then ``finish``.

    Args:
        voice: the engines.
        seed: of the noise of flow and vocoder.
        releasing: another counting of frames, for tests.
    """

    def __init__(self, voice: GlmVoice, seed: int, releasing: Releasing | None = None) -> None:
        self._most = voice.widest - KNOWN
        self._flow = GlmFlow(voice.flow, seed, voice.widest, voice.steps)
        self._vocoder = GlmVocoder(voice.pitch_of, voice.wave_of, seed)
        self._releasing = Releasing() if releasing is None else releasing

    @property
    def codes(self) -> int:
        """Codes said so far."""
        return self._flow.tokens

    def say(self, codes: Sequence[int], *, last: bool = False) -> Floats:
        """Codes → float32[256 k] at 22,050 Hz that is certain now.

        Args:
            codes: ten or a multiple of it makes the least work.
            last: nothing follows; ``finish`` need not be called.
        """
        if not codes:
            return self.finish() if last else np.zeros(0, np.float32)
        starts = range(0, len(codes), self._most)
        return np.concatenate(
            [self._block(codes[at : at + self._most], last and at == starts[-1]) for at in starts]
        )

    def finish(self) -> Floats:
        """The sound still held back."""
        return self._sound(self._releasing.finish(), True)

    def _block(self, codes: Sequence[int], last: bool) -> Floats:
        made = self._flow.step(codes, self._releasing.prompt)
        return self._sound(self._releasing.take(made, last=last), last)

    def _sound(self, released: Released, last: bool) -> Floats:
        if last and not released.frames.shape[1] and not self.codes:
            return np.zeros(0, np.float32)
        return self._vocoder.step(released.frames, released.ahead, last=last)
