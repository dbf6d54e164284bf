"""What became of a call: the only thing a reply may speak from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from services.language.calls import Call

Status = Literal["confirmed", "timeout", "unavailable", "rejected", "sent"]


@dataclass(frozen=True)
class DeviceResult:
    """One device's answer to a command."""

    entity_id: str
    name: str
    """Lower-case spoken name."""
    status: Status
    """confirmed: its state topic said so; timeout: no word in time; unavailable: known to be
    offline; rejected: the broker or the device refused; sent: told, but it never answers."""
    state: str | None = None
    """Spoken state when known, such as ``on``."""


@dataclass(frozen=True)
class Outcome:
    """A call and what happened, told by the executor alone."""

    call: Call
    results: tuple[DeviceResult, ...] = ()
    facts: Mapping[str, str | int] = field(default_factory=dict)
    """Answers that are not device states: ``time``, ``date``, ``remaining_s``, ``duration_s``."""
    error: str | None = None
    """no_device, no_area, no_timer, offline … when nothing was sent."""
