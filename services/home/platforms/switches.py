"""Things that go on and off, and things that are only set off: switch, siren, button, scene."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from services.home.platforms.base import (
    Platform,
    Reading,
    Said,
    Text,
    Topic,
    ValueTemplate,
    told_by,
)
from services.home.platforms.parse import NONE, document, one_of
from services.home.state import EntityState


class Switch(Platform):
    command_topic: Topic
    command_template: ValueTemplate | None = None
    device_class: Text | None = None
    payload_on: Text = "ON"
    payload_off: Text = "OFF"
    state_on: Text | None = None
    state_off: Text | None = None

    @property
    def powers(self) -> dict[str, str]:
        """What its state topic says, and what that means."""
        on = self.payload_on if self.state_on is None else self.state_on
        off = self.payload_off if self.state_off is None else self.state_off
        return {on: "on", off: "off"}

    def made_readings(self) -> list[Reading]:
        power = one_of("value", self.powers)
        return told_by(self.state_topic, self.value_template, power, "value")


class Siren(Switch):
    """Like a switch, but its messages are JSON unless a template says otherwise."""

    command_topic: Topic | None = None  # type: ignore[assignment]
    command_off_template: ValueTemplate | None = None
    state_value_template: ValueTemplate | None = None

    def made_readings(self) -> list[Reading]:
        template = self.state_value_template or self.value_template
        return told_by(self.state_topic, template, self._power, "value")

    def _power(self, text: str, _known: EntityState) -> Said | None:
        body = document(text)
        said = text if body is None else body.get("state", "")
        if said is None or said == NONE:
            return {"value": None}
        power = self.powers.get(str(said))
        return None if power is None else {"value": power}


class Button(Platform):
    """Has no state: nobody can know whether pressing it did anything."""

    command_topic: Topic
    command_template: ValueTemplate | None = None
    device_class: Text | None = None
    payload_press: Text = "PRESS"


class Scene(Platform):
    """Has no state, as a button."""

    command_topic: Topic
    payload_on: Annotated[str, Field(max_length=4096)] = "ON"
