"""What the box is doing, as a table: state and event in, next state and actions out.

No I/O and no clock of its own; the loop feeds events with timestamps and carries the actions out.
An event that has no row for the current state changes nothing and is logged: it is either late
(the user was faster) or a mistake worth seeing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from services.voice.turn import TurnFence

log = logging.getLogger(__name__)


class State(Enum):
    """What the user sees the box do."""

    IDLE = "idle"
    """Waiting for the wake word."""
    WAKING = "waking"
    """Woken, or waiting for an answer: for the first word."""
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    FOLLOW_UP = "follow_up"
    """The reply is over; a next sentence needs no wake word."""
    MUTED = "muted"
    UPDATING = "updating"
    FAULT = "fault"


class Event(Enum):
    """What can happen to it."""

    WAKE = "wake"
    SPEECH_START = "speech_start"
    SPEECH_END = "speech_end"
    NO_SPEECH = "no_speech"
    BARGE_IN = "barge_in"
    FIRST_AUDIO = "first_audio"
    REPLY_DONE = "reply_done"
    """The model has ended and everything it made has been played."""
    ASKED = "asked"
    """As REPLY_DONE, but the reply was a question: its answer needs no wake word."""
    TIMEOUT = "timeout"
    """The state lasted longer than it may."""
    MUTE = "mute"
    UNMUTE = "unmute"
    UPDATE_BEGIN = "update_begin"
    UPDATE_END = "update_end"
    FAULT = "fault"


class Action(Enum):
    """What the loop must do about it, in the order given."""

    INTERRUPT = "interrupt"
    """The turn number has been raised: silence playback, cancel the session, commit the heard."""
    OPEN_TURN = "open_turn"
    """Begin a session and hear the sound since the wake word (or since the user spoke up)."""
    CLOSE_EAR = "close_ear"
    """The utterance is complete: let the model answer."""
    DROP_TURN = "drop_turn"
    """Nobody spoke: forget the session."""
    END_TURN = "end_turn"
    """The reply was heard to its end: commit it."""


@dataclass(frozen=True)
class Row:
    to: State
    actions: tuple[Action, ...] = ()


_S, _E, _A = State, Event, Action
_ACTIVE = (_S.WAKING, _S.LISTENING, _S.THINKING, _S.SPEAKING)
_RESTART = (_A.INTERRUPT, _A.OPEN_TURN)

TABLE: Mapping[tuple[State, Event], Row] = {
    (_S.IDLE, _E.WAKE): Row(_S.WAKING, (_A.OPEN_TURN,)),
    (_S.WAKING, _E.SPEECH_START): Row(_S.LISTENING),
    (_S.WAKING, _E.NO_SPEECH): Row(_S.IDLE, (_A.DROP_TURN,)),
    (_S.WAKING, _E.WAKE): Row(_S.WAKING, _RESTART),
    (_S.LISTENING, _E.SPEECH_END): Row(_S.THINKING, (_A.CLOSE_EAR,)),
    (_S.LISTENING, _E.WAKE): Row(_S.WAKING, _RESTART),
    (_S.THINKING, _E.FIRST_AUDIO): Row(_S.SPEAKING),
    (_S.THINKING, _E.REPLY_DONE): Row(_S.FOLLOW_UP, (_A.END_TURN,)),
    (_S.THINKING, _E.WAKE): Row(_S.WAKING, _RESTART),
    (_S.SPEAKING, _E.REPLY_DONE): Row(_S.FOLLOW_UP, (_A.END_TURN,)),
    **{
        (s, _E.ASKED): Row(_S.WAKING, (_A.END_TURN, _A.OPEN_TURN))
        for s in (_S.THINKING, _S.SPEAKING)
    },
    (_S.SPEAKING, _E.WAKE): Row(_S.WAKING, _RESTART),
    (_S.SPEAKING, _E.BARGE_IN): Row(_S.WAKING, _RESTART),
    (_S.FOLLOW_UP, _E.WAKE): Row(_S.WAKING, (_A.OPEN_TURN,)),
    (_S.FOLLOW_UP, _E.BARGE_IN): Row(_S.WAKING, (_A.OPEN_TURN,)),
    (_S.FOLLOW_UP, _E.TIMEOUT): Row(_S.IDLE),
    (_S.MUTED, _E.UNMUTE): Row(_S.IDLE),
    (_S.UPDATING, _E.UPDATE_END): Row(_S.IDLE),
    (_S.UPDATING, _E.TIMEOUT): Row(_S.IDLE),
    (_S.FAULT, _E.TIMEOUT): Row(_S.IDLE),
    # muting, an update and a fault end whatever was going on
    **{(s, _E.TIMEOUT): Row(_S.IDLE, (_A.INTERRUPT,)) for s in _ACTIVE},
    **{(s, _E.MUTE): Row(_S.MUTED, (_A.INTERRUPT,)) for s in _ACTIVE},
    **{(s, _E.FAULT): Row(_S.FAULT, (_A.INTERRUPT,)) for s in _ACTIVE},
    **{(s, _E.MUTE): Row(_S.MUTED) for s in (_S.IDLE, _S.FOLLOW_UP, _S.FAULT)},
    **{(s, _E.FAULT): Row(_S.FAULT) for s in (_S.IDLE, _S.FOLLOW_UP)},
    # an update never cuts a turn short: the agent asks again when the box is idle
    **{(s, _E.UPDATE_BEGIN): Row(_S.UPDATING) for s in (_S.IDLE, _S.FOLLOW_UP)},
}


@dataclass(frozen=True)
class Dwell:
    """How long a state may last, in milliseconds; 0: it is left at once; absent: for ever."""

    waking_ms: int = 8_000
    """A backstop: the endpointer gives up sooner."""
    listening_ms: int = 15_000
    """A backstop: the endpointer cuts sooner."""
    thinking_ms: int = 10_000
    """Model and devices together, until the first sound of the reply."""
    speaking_ms: int = 60_000
    follow_up_ms: int = 0
    """How long the next sentence needs no wake word; 0 switches that off."""
    updating_ms: int = 900_000
    fault_ms: int = 3_000

    def limit(self, state: State) -> float | None:
        """Seconds, or None where the state may last for ever."""
        value: int | None = getattr(self, f"{state.value}_ms", None)
        return None if value is None else value / 1000


@dataclass
class Controller:
    """Holds the state and the turn number; ``handle`` and ``tick`` return what must be done."""

    fence: TurnFence = field(default_factory=TurnFence)
    dwell: Dwell = field(default_factory=Dwell)
    state: State = State.IDLE
    since: float = 0.0
    """Clock seconds at which the state was entered."""

    def handle(self, event: Event, t: float) -> tuple[Action, ...]:
        """Take an event; the actions come back in the order they must be done."""
        row = TABLE.get((self.state, event))
        if row is None:
            log.info("event has no effect", extra={"event": event.value, "in": self.state.value})
            return ()
        for action in row.actions:
            if action in {Action.INTERRUPT, Action.OPEN_TURN, Action.DROP_TURN}:
                self.fence.advance()
        self.state = row.to
        self.since = t
        return row.actions

    def tick(self, t: float) -> tuple[Action, ...]:
        """Time passed: leave a state that has lasted too long."""
        limit = self.dwell.limit(self.state)
        if limit is None or t - self.since < limit:
            return ()
        return self.handle(Event.TIMEOUT, t)
