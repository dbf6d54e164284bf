"""Machines with a will of their own: vacuum, alarm control panel."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from services.home.platforms.base import (
    Platform,
    Reading,
    Said,
    Text,
    Topic,
    ValueTemplate,
    Words,
    told_by,
)
from services.home.platforms.parse import document, one_of
from services.home.state import EntityState

VACUUM_STATES = ("cleaning", "docked", "paused", "idle", "returning", "error")
ARM_MODES = ("home", "away", "night", "vacation")
_ALARM_STATES = (
    "disarmed", *(f"armed_{mode}" for mode in ARM_MODES), "armed_custom_bypass", "pending",
    "triggered", "arming", "disarming",
)  # fmt: skip


class Vacuum(Platform):
    command_topic: Topic | None = None
    payload_start: Text = "start"
    payload_return_to_base: Text = "return_to_base"
    supported_features: Words = ("start", "stop", "return_home", "status", "clean_spot")

    @property
    def features(self) -> frozenset[str]:
        known = {"start", "return_home"} & set(self.supported_features)
        return frozenset(known if self.command_topic else ())

    def made_readings(self) -> list[Reading]:
        return told_by(self.state_topic, self.value_template, _vacuum, "value")


def _vacuum(text: str, _known: EntityState) -> Said | None:
    body = document(text) or {}
    if "state" in body and body["state"] is None:
        return {"value": None}
    state = body.get("state")
    return {"value": state} if state in VACUUM_STATES else None


class AlarmPanel(Platform):
    """Can be armed by voice; is never disarmed here, and its code is not even kept."""

    command_topic: Topic
    command_template: ValueTemplate | None = None
    code: Annotated[bool, BeforeValidator(lambda value: value is not None)] = False
    """Whether there is a code."""
    code_arm_required: bool = True
    payload_arm_home: Text = "ARM_HOME"
    payload_arm_away: Text = "ARM_AWAY"
    payload_arm_night: Text = "ARM_NIGHT"
    payload_arm_vacation: Text = "ARM_VACATION"
    supported_features: Words = ("arm_home", "arm_away", "arm_night", "arm_vacation")

    @property
    def features(self) -> frozenset[str]:
        """``arm_home`` and its like, where arming needs no code."""
        if self.code and self.code_arm_required:
            return frozenset()
        return frozenset({f"arm_{mode}" for mode in ARM_MODES} & set(self.supported_features))

    def made_readings(self) -> list[Reading]:
        states = one_of("value", {state: state for state in _ALARM_STATES})
        return told_by(self.state_topic, self.value_template, states, "value")
