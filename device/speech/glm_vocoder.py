"""GLM-4-Voice's vocoder in pieces: what comes out is what the whole reply at once would give.

A sample hangs on 13 mel frames to either side and on the pitch there, which hangs on 5 more. So a
piece is decoded with 14 frames around it whose samples are dropped, and 19 frames to come must be
known for their pitch; provisional ones will do. Phases and noise go on where the last piece ended.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from device.speech.harmonic_source import HARMONICS, HOP, HarmonicSource

Floats = npt.NDArray[np.float32]
PitchOf = Callable[[Floats], Floats]
"""mel [80, T] → pitch in Hz [T]."""
WaveOf = Callable[[Floats, Floats], Floats]
"""mel [80, T] and excitation [T, 256, 9] → samples [T, 256]."""

REACH = 14  # frames to either side that a frame's samples hang on, beside their pitch
CONTEXT = REACH + 5  # the same with what their pitch hangs on


class GlmVocoder:
    """One reply.

    Args:
        pitch_of: the pitch graph.
        wave_of: the decoding graph.
        seed: of the excitation.
    """

    def __init__(self, pitch_of: PitchOf, wave_of: WaveOf, seed: int) -> None:
        self._pitch_of, self._wave_of = pitch_of, wave_of
        self._source = HarmonicSource(seed)
        self._mel: Floats | None = None  # context before, then frames not yet decoded
        self._waves: Floats = np.zeros((0, HOP, HARMONICS), np.float32)  # of that context
        self._cycles = np.zeros(HARMONICS)
        self._decoded = 0

    @property
    def decoded(self) -> int:
        """Frames whose samples were given."""
        return self._decoded

    def step(self, mel: Floats, ahead: Floats | None = None, *, last: bool = False) -> Floats:
        """New frames [80, n] → the samples that are certain now, float32[256 k].

        Args:
            mel: frames behind those given before; may be none.
            ahead: [80, m] what will probably follow; 19 frames let every frame of ``mel`` out.
            last: nothing follows.
        """
        held = mel if self._mel is None else np.concatenate([self._mel, mel], axis=1)
        past = len(self._waves)
        future = mel[:, :0] if ahead is None or last else ahead[:, :CONTEXT]
        missing = 0 if last else CONTEXT - future.shape[1]
        ready = max(0, held.shape[1] - past - missing)
        self._mel = held
        if not ready:
            return np.zeros(0, np.float32)
        around = np.concatenate([held, future], axis=1)
        reach = min(past + ready + REACH, around.shape[1])
        pitch = self._pitch_of(around)[past:reach]
        made = self._source.excite(pitch, self._decoded, self._cycles)
        waves = np.concatenate([self._waves, made.waves])
        out = self._wave_of(around[:, :reach], waves)[past : past + ready]
        self._cycles = made.cycles[ready]
        self._decoded += ready
        kept = min(REACH, past + ready)
        self._waves = waves[past + ready - kept : past + ready]
        self._mel = held[:, past + ready - kept :]
        return out.reshape(-1)
