"""A turn as it was: its events, and the sound of its reply as a loudspeaker would have given it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from device.sound.files import RecordingSink
from device.sound.frames import Pcm
from services.language.calls import Call
from services.language.outcome import Outcome
from services.voice.timeline import Kind, TimelineEvent


@dataclass
class Turn:
    """Everything known of one turn; holds what was said, so it goes to the terminal only."""

    turn_id: int
    events: list[TimelineEvent] = field(default_factory=list)
    reply: Pcm = field(default_factory=lambda: np.zeros(0, np.float32))
    """float32[n] at 16 kHz: what was played of the reply, without the silence around it."""

    def first(self, kind: Kind) -> TimelineEvent | None:
        return next((event for event in self.events if event.kind == kind), None)

    def _datum(self, kind: Kind, key: str) -> object:
        event = self.first(kind)
        return None if event is None else event.data.get(key)

    @property
    def transcript(self) -> str:
        return str(self._datum("transcript", "text") or "")

    @property
    def reply_text(self) -> str:
        return str(self._datum("reply_text", "text") or "")

    @property
    def call(self) -> Call | None:
        call = self._datum("call", "call")
        return call if isinstance(call, Call) else None

    @property
    def outcome(self) -> Outcome | None:
        outcome = self._datum("outcome", "outcome")
        return outcome if isinstance(outcome, Outcome) else None

    @property
    def ended(self) -> str:
        """Why the turn ended: done, no_speech, timeout …, or fault: kind."""
        return str(self._datum("turn_end", "reason") or "never")

    @property
    def first_audio_ms(self) -> float | None:
        """Milliseconds from the last voiced sample to the first audible one."""
        event = self.first("first_audio")
        return None if event is None else event.t_ms


class TurnLog:
    """Gathers events into turns, and cuts what the loudspeaker played at each turn's end."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.sink = RecordingSink()
        self._cut = 0

    def add(self, event: TimelineEvent) -> None:
        """Call on the hearing thread, which also drives the sink."""
        turn = next((t for t in self.turns if t.turn_id == event.turn_id), None)
        if turn is None:
            turn = Turn(event.turn_id)
            self.turns.append(turn)
        turn.events.append(event)
        if event.kind == "turn_end":
            played = self.sink.played
            turn.reply = trimmed(played[self._cut :])
            self._cut = len(played)


def trimmed(pcm: Pcm) -> Pcm:
    """The sound without the digital silence before and after it."""
    loud = np.flatnonzero(pcm)
    return pcm[loud[0] : loud[-1] + 1] if len(loud) else pcm[:0]
