"""Things that open and close: cover, valve, lock."""

from __future__ import annotations

from services.home.platforms.base import (
    Number,
    Platform,
    Reading,
    Said,
    Text,
    Topic,
    ValueTemplate,
    has,
    told_by,
)
from services.home.platforms.parse import document, number, one_of
from services.home.state import EntityState


class _Opening(Platform):
    """A cover or a valve: open, closed, on its way, perhaps with a position."""

    device_class: Text | None = None
    command_topic: Topic | None = None
    command_template: ValueTemplate | None = None
    payload_open: Text | None = "OPEN"
    payload_close: Text | None = "CLOSE"
    state_open: Text = "open"
    state_opening: Text = "opening"
    state_closed: Text = "closed"
    state_closing: Text = "closing"
    position_open: Number = 100
    position_closed: Number = 0

    def percent_open(self, value: object) -> int | None:
        """A reported position in percent; scales may be turned round."""
        return _percent(value, self.position_closed, self.position_open)

    def position_of(self, percent: int) -> int:
        """A percentage in the device's own scale."""
        span = self.position_open - self.position_closed
        return round(self.position_closed + span * percent / 100)

    def _words(self) -> dict[str, str]:
        words = ("closing", "opening", "closed", "open")
        return {getattr(self, f"state_{word}"): word for word in words}


def _percent(value: object, closed: float, opened: float) -> int | None:
    found = number(value)
    if found is None or opened == closed:
        return None
    percent = (found - closed) * 100 / (opened - closed)
    # A motor that overshoots by a step is still open or closed.
    return min(100, max(0, round(percent))) if -5 <= percent <= 105 else None


class Cover(_Opening):
    payload_stop: Text | None = "STOP"
    state_stopped: Text = "stopped"
    position_topic: Topic | None = None
    position_template: ValueTemplate | None = None
    set_position_topic: Topic | None = None
    set_position_template: ValueTemplate | None = None
    tilt_command_topic: Topic | None = None
    tilt_status_topic: Topic | None = None
    tilt_status_template: ValueTemplate | None = None
    tilt_min: Number = 0
    tilt_max: Number = 100

    @property
    def features(self) -> frozenset[str]:
        """``stop`` and ``position`` only where they can be asked for."""
        return has(
            open_close=self.command_topic or self.set_position_topic,
            stop=self.command_topic and self.payload_stop is not None,
            position=self.set_position_topic,
            tilt=self.tilt_command_topic,
        )

    def made_readings(self) -> list[Reading]:
        alone = () if self.state_topic else ("value",)
        return [
            *told_by(self.state_topic, self.value_template, self._state, "value", "motion"),
            *told_by(
                self.position_topic, self.position_template, self._position, "position", *alone
            ),
            *told_by(self.tilt_status_topic, self.tilt_status_template, self._tilt, "tilt"),
        ]

    def _state(self, text: str, known: EntityState) -> Said | None:
        said = one_of("value", self._words())(text, known)
        if said is None and text == self.state_stopped:
            closed = known.position == 0 if known.position is not None else known.value == "closed"
            return {"value": "closed" if closed else "stopped"}
        return said

    def _position(self, text: str, _known: EntityState) -> Said | None:
        percent = self.percent_open(text)
        if percent is None:
            return None
        state = {} if self.state_topic else {"value": "open" if percent else "closed"}
        return {"position": percent, **state}

    def _tilt(self, text: str, _known: EntityState) -> Said | None:
        percent = _percent(text, self.tilt_min, self.tilt_max)
        return None if percent is None else {"tilt": percent}


class Valve(_Opening):
    payload_stop: Text | None = None
    reports_position: bool = False

    @property
    def features(self) -> frozenset[str]:
        return has(
            open_close=self.command_topic,
            stop=self.command_topic and self.payload_stop is not None,
            position=self.command_topic and self.reports_position,
        )

    def made_readings(self) -> list[Reading]:
        fields = ("value", "motion", *(("position",) if self.reports_position else ()))
        return told_by(self.state_topic, self.value_template, self._state, *fields)

    def _state(self, text: str, known: EntityState) -> Said | None:
        """A word, a position, or a JSON object of both."""
        body = document(text)
        if body is None:
            return self._word_or_position(text, known)
        said: dict[str, object] = {}
        for part in ("position", "state"):
            said |= self._word_or_position(str(body.get(part, "")), known) or {}
        return said or None

    def _word_or_position(self, text: str, known: EntityState) -> Said | None:
        percent = self.percent_open(text) if self.reports_position else None
        if percent is not None:
            return {"position": percent, "value": "open" if percent else "closed"}
        return one_of("value", self._words())(text, known)


class Lock(Platform):
    command_topic: Topic
    command_template: ValueTemplate | None = None
    code_format: Text | None = None
    """Set where it wants a code, which we never have."""
    payload_lock: Text = "LOCK"
    payload_unlock: Text = "UNLOCK"
    state_locked: Text = "LOCKED"
    state_unlocked: Text = "UNLOCKED"
    state_locking: Text = "LOCKING"
    state_unlocking: Text = "UNLOCKING"
    state_jammed: Text = "JAMMED"

    def made_readings(self) -> list[Reading]:
        words = ("jammed", "unlocking", "locking", "unlocked", "locked")
        states = one_of("value", {getattr(self, f"state_{word}"): word for word in words})
        return told_by(self.state_topic, self.value_template, states, "value")
