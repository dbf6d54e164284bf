"""What the hearing thread keeps of the sound: the recent past, and the utterance of this turn.

It decides nothing about turns: it says that the wake word was spoken, that an utterance began or
ended, that someone speaks over a reply, and hands out the sound that belongs to each.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from device.sound.frames import FRAME_MS, SAMPLE_RATE, Frame, Pcm
from device.speech_activity import SpeechActivity, last_voiced
from device.wake.detector import WakeDetector
from services.voice.endpoint import (
    Barge,
    BargeIn,
    BargeInConfig,
    Decision,
    EndpointConfig,
    Endpointer,
)

MAX_LAG_S = 0.3  # the most by which the speech detector is late at the end of a word


@dataclass(frozen=True)
class EarConfig:
    """Times in milliseconds."""

    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    barge_in: BargeInConfig = field(default_factory=BargeInConfig)
    preroll_ms: int = 150
    """Sound from before the wake word was recognised that already belongs to the command: it is
    recognised up to 200 ms after its end."""
    gap_ms: int = 300
    """A pause this recent is taken for the end of the wake word instead."""
    barge_preroll_ms: int = 700
    """Sound kept from before an interruption by speech was certain."""
    hear_ms: int = 40
    """Sound given to the model at a time."""


class Ear:
    """Fed every frame, in order, while the box may hear."""

    def __init__(self, wake: WakeDetector, activity: SpeechActivity, config: EarConfig) -> None:
        self._wake = wake
        self._activity = activity
        self._config = config
        self._barge = BargeIn(config.barge_in)
        self._ring: deque[tuple[Frame, bool]] = deque(
            maxlen=max(config.barge_preroll_ms, config.gap_ms) // FRAME_MS
        )
        self._endpointer: Endpointer | None = None
        self._utterance: list[Pcm] = []
        self._unsent: list[Pcm] = []

    def feed(self, frame: Frame) -> tuple[bool, bool]:
        """Whether the wake word was recognised, and whether the frame is speech."""
        speech = self._activity.feed(frame.pcm) > 0.5
        self._ring.append((frame, speech))
        return self._wake.feed(frame.pcm), speech

    def forget(self) -> None:
        """Nothing said before muting may be heard after it."""
        self._ring.clear()
        self._utterance, self._unsent = [], []
        self._endpointer = None
        self._wake.reset()
        self._activity.reset()

    def open_after_wake(self, t: float) -> None:
        """Begin an utterance with what was said since the wake word ended."""
        self._open([frame for frame, _ in self._after_wake()])
        self._endpointer = Endpointer(self._config.endpoint, t, after_wake=True)

    def open_after_speech(self, t: float) -> Decision:
        """Begin an utterance with the words that interrupted; START when they are enough."""
        heard = list(self._ring)
        self._open([frame for frame, _ in heard])
        first = heard[0][0].t - FRAME_MS / 1000 if heard else t
        self._endpointer = Endpointer(self._config.endpoint, first, after_wake=False)
        decisions = [self._endpointer.feed(frame.t, speech) for frame, speech in heard]
        return Decision.START if Decision.START in decisions else Decision.NONE

    def open_to_answer(self, t: float) -> None:
        """Begin an utterance with what is said from now on: before, we were speaking ourselves."""
        self._open([])
        # The end of our own sound is no more a first word than the end of the wake word is.
        self._endpointer = Endpointer(self._config.endpoint, t, after_wake=True)

    def listen(self, frame: Frame, speech: bool, complete: bool) -> Decision:
        """Add a frame to the utterance; ``complete`` as in :meth:`Endpointer.feed`."""
        self._utterance.append(frame.pcm)
        self._unsent.append(frame.pcm)
        if self._endpointer is None:
            return Decision.NONE
        return self._endpointer.feed(frame.t, speech, complete)

    def take(self, everything: bool = False) -> Pcm | None:
        """Sound the model has not had yet, float32[n]; None until a portion is full."""
        enough = len(self._unsent) * FRAME_MS >= self._config.hear_ms
        if not self._unsent or not (enough or everything):
            return None
        pcm = np.concatenate(self._unsent)
        self._unsent = []
        return pcm

    def started_at(self, t: float) -> float:
        """Clock time of the utterance's first voiced sample; ``t`` where that is unknown."""
        started = self._endpointer.started_at if self._endpointer is not None else None
        return t if started is None else started

    def ended_at(self, t: float) -> float:
        """Clock time of its last voiced sample: the earlier of the detector's and the level's.

        The detector lags by some 80 ms; latencies counted from it alone would flatter us.
        """
        heard = self._endpointer.last_speech if self._endpointer is not None else None
        sound = np.concatenate([np.zeros(0, np.float32), *self._utterance])
        by_level = t - (len(sound) - last_voiced(sound)) / SAMPLE_RATE
        # level alone loses words that are buried in noise: it may correct, not overrule
        return by_level if heard is None else max(min(heard, by_level), heard - MAX_LAG_S)

    def over_reply(self, t: float, speech: bool) -> Barge:
        """A frame heard while a reply is played, or just after."""
        return self._barge.feed(t, speech)

    def reply_begins(self) -> None:
        """What was heard before this reply is no interruption of it."""
        self._barge.reset()

    def _open(self, frames: list[Frame]) -> None:
        self._barge.reset()
        self._utterance = [frame.pcm for frame in frames]
        self._unsent = list(self._utterance)

    def _after_wake(self) -> list[tuple[Frame, bool]]:
        """The frames since the last pause, when that is recent, else a fixed while."""
        recent = list(self._ring)[-(self._config.gap_ms // FRAME_MS) :]
        for index in range(len(recent) - 1, 0, -1):
            if recent[index - 1][1] and not recent[index][1]:
                return recent[index:]
        return recent[-(self._config.preroll_ms // FRAME_MS) :]
