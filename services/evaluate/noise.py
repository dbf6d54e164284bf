"""An utterance as it is heard: clean, or with noise at 10 or 5 dB. Simulated; no room.

Noise is recorded where ``SHARED/audio/noise`` exists, else coloured (1/f^a, a in 0..1.5). Which
noise, and which part of it, follows from the utterance's number alone, so figures can be repeated.
The level is taken over the speech without the silence around it; the noise fills the silence too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.sound.files import read_audio
from device.sound.frames import SAMPLE_RATE, Pcm
from device.sound.mixing import coloured_noise, crop, mix

CONDITIONS: dict[str, float | None] = {"clean": None, "snr10": 10.0, "snr5": 5.0}
"""Key of the report → signal-to-noise ratio in dB."""
LEAST_POWER = 1e-8  # a part of a recording below this is its silence, not noise
LEAD_S, TAIL_S = 0.2, 0.5  # what the loop gives the model before and after the words


@dataclass(frozen=True)
class Noises:
    """Recorded noises, float32[n] each; none: coloured noise is made."""

    recorded: tuple[Pcm, ...] = ()

    @classmethod
    def load(cls, folder: Path) -> Noises:
        return cls(tuple(read_audio(path) for path in sorted(folder.glob("*.flac"))))

    @property
    def kind(self) -> str:
        return "recorded" if self.recorded else "coloured"

    def heard(self, speech: Pcm, snr_db: float | None, number: int) -> Pcm:
        """Silence before and after float32[n] of speech, and noise over all of it."""
        padded = np.pad(speech, (int(LEAD_S * SAMPLE_RATE), int(TAIL_S * SAMPLE_RATE)))
        if snr_db is None:
            return padded
        rng = np.random.default_rng([number, round(snr_db)])
        mixed = mix(padded, self._noise(len(padded), rng), snr_db, speech)
        return np.asarray(mixed / max(1.0, float(np.abs(mixed).max())), np.float32)

    def _noise(self, n: int, rng: np.random.Generator) -> Pcm:
        if self.recorded:
            part = crop(self.recorded[int(rng.integers(len(self.recorded)))], n, rng)
            if float((part**2).mean()) > LEAST_POWER:
                return part
        return coloured_noise(n, rng)
