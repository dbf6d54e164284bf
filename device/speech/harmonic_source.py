"""The excitation of GLM-4-Voice's vocoder: sines at the pitch and its harmonics, and noise.

A frame's pitch is constant over its 256 samples, so the phase within it is a straight line and only
whole frames are summed up: in double precision, as fractions of a cycle, which a long reply carries
from piece to piece (a running sum of samples in single precision drifts audibly).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.speech.indexed_noise import indexed_noise

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

SAMPLE_RATE = 22_050  # Hz
HOP = 256  # samples a frame
HARMONICS = 9  # the pitch itself and eight above
LOUDNESS = 0.1  # of each sine
VOICED_NOISE = 0.003  # standard deviation
UNVOICED_NOISE = LOUDNESS / 3
VOICED_HZ = 10.0  # a lower pitch means no voice


@dataclass(frozen=True)
class Excitation:
    """Waves, and where each harmonic's phase stood before every frame and after the last."""

    waves: Floats  # [T, 256, 9]
    cycles: Doubles  # [T + 1, 9], fractions of a cycle


class HarmonicSource:
    """Excitation of one reply.

    Args:
        seed: of the harmonics' phases, which stay as they are for the reply, and of the noise.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        offsets = np.random.Generator(np.random.Philox(key=seed)).uniform(-0.5, 0.5, HARMONICS)
        offsets[0] = 0.0
        self._offsets: Doubles = offsets

    def excite(self, pitch: Floats, first: int, cycles: Doubles | None = None) -> Excitation:
        """Waves of consecutive frames.

        Args:
            pitch: Hz, float32[T].
            first: number of the first frame from the beginning of the reply.
            cycles: phases before it, float64[9]; None at the beginning.
        """
        pitch = pitch.astype(np.float64)
        number = np.arange(1, HARMONICS + 1)
        rate = pitch[:, None] * number / SAMPLE_RATE  # [T, 9] cycles a sample
        start = np.zeros(HARMONICS) if cycles is None else cycles
        ends = (start + np.concatenate([np.zeros((1, HARMONICS)), rate.cumsum(0) * HOP])) % 1.0
        inside = np.arange(1, HOP + 1)[:, None]
        phase = ends[:-1, None] + inside * rate[:, None] + self._offsets  # [T, 256, 9]
        voiced = (pitch > VOICED_HZ)[:, None, None]
        noise = indexed_noise(self._seed, first, len(pitch), HOP * HARMONICS)
        waves = LOUDNESS * np.sin(2 * np.pi * phase) * voiced
        waves += np.where(voiced, VOICED_NOISE, UNVOICED_NOISE) * noise.reshape(waves.shape)
        return Excitation(waves.astype(np.float32), ends)
