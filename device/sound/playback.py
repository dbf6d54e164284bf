"""What waits to be spoken, and how much of it has been heard.

The voice loop puts sound in from one thread, a loudspeaker's callback pulls it from another. Every
piece carries its turn: raising the fence drops all older sound, so an interrupted reply is silent
from the next audio period on. There is no I/O here and no waiting.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from device.sound.frames import SAMPLE_RATE, Pcm

AUDIBLE = 0.01  # amplitude (-40 dBFS) from which a sample counts as heard
GAIN_RAMP = SAMPLE_RATE // 100  # samples over which ducking fades, so that it does not click
MAX_SECONDS = 60  # of sound waiting; a reply longer than this is a fault of its maker
KEPT_TURNS = 8  # turns whose counts are remembered


class _Fader:
    """A gain that moves towards its target a little with each sample, so that it never clicks."""

    def __init__(self, gain: float) -> None:
        self._gain = self.target = gain

    def apply(self, out: Pcm) -> None:
        """Scale float32[n] in place."""
        if self._gain == self.target == 1.0:
            return
        steps = np.arange(1, len(out) + 1, dtype=np.float32) / GAIN_RAMP
        delta = np.clip(self.target - self._gain, -steps, steps)
        out *= np.float32(self._gain) + delta.astype(np.float32)
        self._gain = float(self._gain + (delta[-1] if len(delta) else 0.0))


@dataclass
class _Turn:
    queued: int = 0
    played: int = 0
    first_audible: float | None = None


class PlaybackQueue:
    """Thread-safe queue of (turn, sound) at 16 kHz mono."""

    def __init__(self, volume: float = 1.0) -> None:
        """Args: volume: 0..1, applied to everything that is pulled."""
        self._volume = _Fader(_within(volume, "volume"))
        self._ducking = _Fader(1.0)
        self._lock = threading.Lock()
        self._pieces: deque[tuple[int, Pcm]] = deque()
        self._waiting = 0
        self._fence = 0
        self._turns: dict[int, _Turn] = {}

    def enqueue(self, turn_id: int, pcm: Pcm) -> bool:
        """Add float32[n] of a turn's reply; False when the turn is over or the queue is full."""
        with self._lock:
            full = self._waiting + len(pcm) > MAX_SECONDS * SAMPLE_RATE
            if turn_id < self._fence or full:
                return False
            self._turn(turn_id).queued += len(pcm)
            if len(pcm):
                self._pieces.append((turn_id, pcm))
                self._waiting += len(pcm)
            return True

    def pull(self, samples: int, t: float) -> Pcm:
        """Exactly ``samples`` to sound from clock time ``t`` on; silence where nothing waits."""
        out = np.zeros(samples, np.float32)
        with self._lock:
            at = 0
            while at < samples and self._pieces:
                at += self._take(out, at, t)
            self._ducking.apply(out)
            self._volume.apply(out)
        return out

    def flush(self, below: int) -> int:
        """Drop everything of turns older than ``below``, now and later; samples dropped."""
        with self._lock:
            self._fence = max(self._fence, below)
            kept = deque(piece for piece in self._pieces if piece[0] >= self._fence)
            dropped = self._waiting - sum(len(pcm) for _, pcm in kept)
            self._pieces = kept
            self._waiting -= dropped
            return dropped

    def duck(self, gain: float) -> None:
        """Fade to ``gain`` (0..1) over 10 ms; 1 restores full level."""
        with self._lock:
            self._ducking.target = _within(gain, "gain")

    def set_volume(self, volume: float) -> None:
        """Fade to ``volume`` (0..1) over 10 ms, under whatever ducking there is."""
        with self._lock:
            self._volume.target = _within(volume, "volume")

    def samples_played(self, turn_id: int) -> int:
        """How much of a turn's sound has been pulled, in samples."""
        with self._lock:
            return self._turns[turn_id].played if turn_id in self._turns else 0

    def first_audible(self, turn_id: int) -> float | None:
        """Clock time of a turn's first sample above -40 dBFS; None until it sounded."""
        with self._lock:
            return self._turns[turn_id].first_audible if turn_id in self._turns else None

    @property
    def empty(self) -> bool:
        """Nothing waits to be played."""
        with self._lock:
            return not self._pieces

    def _take(self, out: Pcm, at: int, t: float) -> int:
        turn_id, pcm = self._pieces[0]
        count = min(len(pcm), len(out) - at)
        out[at : at + count] = pcm[:count]
        self._waiting -= count
        if count == len(pcm):
            self._pieces.popleft()
        else:
            self._pieces[0] = (turn_id, pcm[count:])
        turn = self._turn(turn_id)
        turn.played += count
        if turn.first_audible is None:
            loud = np.flatnonzero(np.abs(out[at : at + count]) > AUDIBLE)
            if len(loud):
                turn.first_audible = t + (at + int(loud[0])) / SAMPLE_RATE
        return count

    def _turn(self, turn_id: int) -> _Turn:
        if turn_id not in self._turns:
            self._turns[turn_id] = _Turn()
            while len(self._turns) > KEPT_TURNS:
                self._turns.pop(min(self._turns))
        return self._turns[turn_id]


def _within(gain: float, what: str) -> float:
    if not 0.0 <= gain <= 1.0:
        raise ValueError(f"{what} {gain} is outside 0..1")
    return gain
