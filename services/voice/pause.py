"""The moment a speaker falls quiet, long before an utterance is over: time to work ahead."""

from __future__ import annotations

import numpy as np

from services.voice.families.base import Pcm

FRAME = 160  # samples: 10 ms
QUIET_FRAMES = 16  # a stop consonant is shorter
QUIET = 0.25  # of the loudest frame: 12 dB below
LEAST_SPOKEN = 40  # frames


class PauseWatch:
    """Fed sound of any length; tells each pause once, and again after more speech."""

    def __init__(self) -> None:
        self._waiting: Pcm = np.zeros(0, np.float32)
        self._loudest = 0.0
        self._spoken = self._quiet = 0  # frames

    def feed(self, pcm: Pcm) -> bool:
        """float32[n] → whether a pause has just become long enough."""
        held = np.concatenate([self._waiting, pcm])
        count = len(held) // FRAME
        self._waiting = held[count * FRAME :]
        frames = held[: count * FRAME].reshape(count, FRAME)
        levels = np.sqrt(np.mean(np.square(frames), axis=1)) if count else np.zeros(0)
        told = [self._frame(float(level)) for level in levels]  # every frame counts, also later
        return any(told)

    @property
    def paused(self) -> bool:
        """Whether the pause told last still lasts."""
        return self._quiet >= QUIET_FRAMES and self._spoken >= LEAST_SPOKEN

    def _frame(self, level: float) -> bool:
        self._loudest = max(self._loudest, level)
        if level > QUIET * self._loudest:
            self._spoken, self._quiet = self._spoken + 1, 0
        else:
            self._quiet += 1
        return self._quiet == QUIET_FRAMES and self._spoken >= LEAST_SPOKEN
