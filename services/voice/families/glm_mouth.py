"""GLM-4-Voice's codes become sound in blocks, given away from when that is safe."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from device.speech.glm_frames import BLOCK
from device.speech.glm_speaking import GlmSpeaking
from services.voice.families.base import AudioDelta, Event, Pcm
from services.voice.families.glm_pacing import Pacing


class Mouth:
    """One reply.

    Args:
        speaking: makes the sound.
        pacing: says when, and of how much.
        clock: monotonic seconds.
        stopped: whether the reply was cut off.
    """

    def __init__(
        self,
        speaking: GlmSpeaking,
        pacing: Pacing,
        clock: Callable[[], float],
        stopped: Callable[[], bool],
    ) -> None:
        self._speaking, self._pacing, self._clock = speaking, pacing, clock
        self._stopped = stopped
        self._codes: list[int] = []
        self._made: list[Pcm] = []
        pacing.begin(clock())

    def wrote(self) -> None:
        """An id of text was written."""
        self._pacing.wrote()

    def take(self, code: int) -> Iterator[Event]:
        """A code was written: the sound that may be heard by now."""
        self._pacing.wrote()
        self._codes.append(code)
        whole = len(self._codes) // BLOCK * BLOCK
        if whole and whole >= self._pacing.wanted(self._clock(), len(self._codes)):
            yield from self._say(whole)
        elif self._pacing.may_start(self._clock()):
            yield from self._given()

    def finish(self) -> Iterator[Event]:
        """Nothing follows: all the sound there is."""
        yield from self._say(len(self._codes), last=True)
        yield from self._given()

    def _say(self, count: int, *, last: bool = False) -> Iterator[Event]:
        """Sound of so many codes; what is ready of it may be heard while the rest is made."""
        codes, self._codes = self._codes[:count], self._codes[count:]
        counted, begun = len(codes), self._clock()
        for piece in self._speaking.pieces(codes, last=last):
            self._made.append(piece)
            self._pacing.made(counted, self._clock() - begun, self._speaking.rates)
            if self._pacing.may_start(self._clock()):
                yield from self._given()
            if self._stopped():  # whoever hears it may have said so by now
                return
            counted, begun = 0, self._clock()

    def _given(self) -> Iterator[Event]:
        pcm = np.concatenate([*self._made, np.zeros(0, np.float32)])
        self._made = []
        if len(pcm):
            yield AudioDelta(pcm)
