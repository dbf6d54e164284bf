"""What happened in a turn and when, counted from the last voiced sample of the user's sentence.

Events before that moment (the wake word) get negative times, so they are held back until it is
known. The data may hold what was said: it goes to the caller's eyes, never to a log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "wake", "speech_start", "speech_end", "endpoint", "transcript", "call", "command_sent",
    "confirmed", "outcome", "first_audio", "reply_text", "interrupted", "turn_end",
]  # fmt: skip

KEPT_TURNS = 8


@dataclass(frozen=True)
class TimelineEvent:
    """One line of a turn's story."""

    kind: Kind
    turn_id: int
    t_ms: float
    """Milliseconds from the last voiced sample; from the turn's end where nobody spoke."""
    at_s: float
    """Seconds on the loop's clock."""
    data: Mapping[str, object] = field(default_factory=dict)
    """transcript, reply_text: ``text``; call: ``call``; command_sent, confirmed: ``entity_id``;
    outcome: ``outcome``, ``started_s``; interrupted: ``samples_heard``, ``reason``; turn_end:
    ``reason`` (done, no_speech, timeout, wake, barge_in, mute, stopped or fault: kind)."""


@dataclass
class _Turn:
    reference: float | None = None
    held: list[tuple[Kind, float, Mapping[str, object]]] = field(default_factory=list)


class Timeline:
    """Collects events of several turns and emits them as soon as their reference is known."""

    def __init__(self, emit: Callable[[TimelineEvent], None]) -> None:
        self._emit = emit
        self._turns: dict[int, _Turn] = {}

    def mark(self, turn_id: int, kind: Kind, at_s: float, **data: object) -> None:
        turn = self._turn(turn_id)
        turn.held.append((kind, at_s, data))
        if kind == "speech_end" or (kind == "turn_end" and turn.reference is None):
            turn.reference = at_s
        if turn.reference is not None:
            self._release(turn_id, turn, turn.reference)

    def _release(self, turn_id: int, turn: _Turn, reference: float) -> None:
        held, turn.held = turn.held, []
        for kind, at_s, data in held:
            t_ms = round((at_s - reference) * 1000, 1)
            self._emit(TimelineEvent(kind, turn_id, t_ms, at_s, data))

    def _turn(self, turn_id: int) -> _Turn:
        if turn_id not in self._turns:
            self._turns[turn_id] = _Turn()
            while len(self._turns) > KEPT_TURNS:
                self._turns.pop(min(self._turns))
        return self._turns[turn_id]
