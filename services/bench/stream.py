"""Ends of the loop for timing: a microphone that knows when speech ended, an ear at the speaker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count

import numpy as np

from device.sound.clock import Clock
from device.sound.frames import FRAME_S, FRAME_SAMPLES, SAMPLE_RATE, Frame, Pcm, Pull
from services.bench.spoken import Spoken, room

AUDIBLE = 10 ** (-50 / 20)  # amplitude from which a sample counts as heard
SETTLE_S = 1.5  # least silence after a command: the endpointer needs some of it
REST_S = 0.5  # between a reply's end and the next wake word
LONGEST_WAIT_S = 30.0  # for a reply to end


class TurnSource:
    """One endless microphone: each turn is spoken when the reply to the last one has ended."""

    def __init__(self, turns: Sequence[Spoken], clock: Clock, busy: Callable[[], bool]) -> None:
        """Args: busy: whether the loop still answers."""
        self.turns = turns
        self._clock = clock
        self._busy = busy
        self._closed = False
        self._silence = room(SAMPLE_RATE, seed=0).reshape(-1, FRAME_SAMPLES)
        self.starts: list[float] = []
        """Clock time at which each turn so far began."""
        self.ends: list[float] = []
        """Clock time of each turn's last voiced sample."""
        self.frames_given = 0

    @property
    def seconds(self) -> float:
        """Sound given so far."""
        return self.frames_given * FRAME_S

    def frames(self) -> Iterator[Frame]:
        start = self._clock.now()
        for pcm in self._sound(start):
            if self._closed:
                return
            self.frames_given += 1
            t = start + self.frames_given * FRAME_S
            self._clock.sleep_until(t)
            yield Frame(pcm, t)

    def close(self) -> None:
        self._closed = True

    def _sound(self, start: float) -> Iterator[Pcm]:
        quiet = (self._silence[n % len(self._silence)] for n in count())
        yield from self._rest(quiet, REST_S)
        for turn in self.turns:
            now = start + self.seconds
            self.starts.append(now)
            self.ends.append(now + turn.end / SAMPLE_RATE)
            for at in range(0, len(turn.pcm), FRAME_SAMPLES):
                piece = turn.pcm[at : at + FRAME_SAMPLES]
                yield np.pad(piece, (0, FRAME_SAMPLES - len(piece)))
            yield from self._rest(quiet, SETTLE_S)
            given_up = self.seconds + LONGEST_WAIT_S
            while self._busy() and self.seconds < given_up:
                yield next(quiet)
            yield from self._rest(quiet, REST_S)

    def _rest(self, quiet: Iterator[Pcm], seconds: float) -> Iterator[Pcm]:
        for _ in range(round(seconds / FRAME_S)):
            yield next(quiet)


class StampingSink:
    """Pulls in step with the input, as a loudspeaker would, and notes when anything is heard."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pull: Pull | None = None
        self.heard: list[float] = []
        """Clock time of the first audible sample of every 10 ms that had one."""

    def start(self, pull: Pull) -> None:
        self._pull = pull

    def tick(self, t: float) -> None:
        if self._pull is None:
            return
        # Not the frame's own time: when the hearing thread is late, so is the loudspeaker.
        now = max(t, self._clock.now())
        loud = np.flatnonzero(np.abs(self._pull(FRAME_SAMPLES, now)) > AUDIBLE)
        if len(loud):
            self.heard.append(now + int(loud[0]) / SAMPLE_RATE)

    def close(self) -> None:
        self._pull = None
