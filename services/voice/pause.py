"""The moment a speaker falls quiet, long before an utterance is over: time to work ahead."""

from __future__ import annotations

import numpy as np

from services.voice.families.base import Pcm

SAMPLE_RATE = 16_000  # Hz
QUIET_S = 0.16  # a stop consonant is shorter
QUIET = 0.25  # of the loudest piece: 12 dB below
LEAST_SPOKEN_S = 0.4


class PauseWatch:
    """Fed sound in pieces of some 10 ms; tells each pause once, and again after more speech."""

    def __init__(self) -> None:
        self._loudest = 0.0
        self._spoken = self._quiet = 0  # samples

    def feed(self, pcm: Pcm) -> bool:
        """float32[n] → whether a pause has just become long enough."""
        level = float(np.sqrt(np.mean(np.square(pcm)))) if len(pcm) else 0.0
        self._loudest = max(self._loudest, level)
        if level > QUIET * self._loudest:
            self._spoken, self._quiet = self._spoken + len(pcm), 0
            return False
        before, self._quiet = self._quiet, self._quiet + len(pcm)
        enough = int(QUIET_S * SAMPLE_RATE)
        long_enough = before < enough <= self._quiet
        return long_enough and self._spoken >= LEAST_SPOKEN_S * SAMPLE_RATE
