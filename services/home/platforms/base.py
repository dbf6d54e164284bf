"""What every announced thing has in common: checked text and topics, availability, readings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from services.home.state import EntityState
from services.home.templates import compile_template

MAX_IDENTIFIERS = 32
"""Identifiers and connections of one device that are looked at."""


def _text(value: object) -> object:
    """Payload values may be written as numbers or booleans; they are compared as text."""
    return str(value) if isinstance(value, (bool, int, float)) else value


def _topic(value: str) -> str:
    if not value or len(value) > 512 or any(c in value for c in "+#\0") or value[0] == "$":
        raise ValueError("not a topic of one device")
    return value


def _template(value: str) -> str:
    compile_template(value)
    return value


def _list(value: object) -> object:
    return [value] if isinstance(value, (str, int)) else value


Text = Annotated[str, BeforeValidator(_text), Field(max_length=256)]
Topic = Annotated[str, AfterValidator(_topic)]
ValueTemplate = Annotated[str, AfterValidator(_template)]
Words = Annotated[tuple[Text, ...], Field(max_length=1000)]
"""Modes, presets, options."""
Number = Annotated[float, Field(ge=-1e9, le=1e9)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Device(_Model):
    name: Text | None = None
    suggested_area: Text | None = None
    identifiers: Annotated[tuple[Text, ...], BeforeValidator(_list)] = ()
    connections: tuple[tuple[Text, ...], ...] = ()

    @property
    def ids(self) -> frozenset[str]:
        """By what the same physical thing is known again, however it is announced."""
        linked = (pair[1] for pair in self.connections[:MAX_IDENTIFIERS] if len(pair) == 2)
        return frozenset(map(fold_id, (*self.identifiers[:MAX_IDENTIFIERS], *linked)))


def fold_id(text: str) -> str:
    """``aa:bb:cc:dd:ee:ff`` and ``AABBCCDDEEFF`` are one address."""
    return text.replace(":", "").replace("-", "").lower()


class AvailabilityTopic(_Model):
    topic: Topic
    payload_available: Text = "online"
    payload_not_available: Text = "offline"
    value_template: ValueTemplate | None = None


Said = Mapping[str, object]
"""Fields of ``EntityState`` and what they are now."""


@dataclass(frozen=True)
class Reading:
    """One thing that can be read from one state topic."""

    topic: str
    fields: frozenset[str]
    """Fields of ``EntityState`` it tells; ``motion`` where it also tells that all is still,
    ``color_mode`` where it tells which of colour and white is shown."""
    read: Callable[[str, EntityState], Said | None]
    """From the rendered text and what was known; None when the text says nothing usable."""
    template: str | None = None


class Platform(_Model):
    """What every platform shares."""

    name: Text | None = None
    unique_id: Text | None = None
    object_id: Text | None = None
    default_entity_id: Text | None = None
    device: Device = Device()
    entity_category: Literal["config", "diagnostic"] | None = None
    enabled_by_default: bool = True
    state_topic: Topic | None = None
    value_template: ValueTemplate | None = None
    same_topics: tuple[tuple[Topic, Topic], ...] = Field(default=(), max_length=8)
    """(other topic, topic it stands for): Tasmota tells one state on several topics."""
    availability: tuple[AvailabilityTopic, ...] = Field(default=(), max_length=16)
    availability_topic: Topic | None = None
    availability_template: ValueTemplate | None = None
    availability_mode: Literal["all", "any", "latest"] = "latest"
    payload_available: Text = "online"
    payload_not_available: Text = "offline"

    @cached_property
    def availability_topics(self) -> tuple[AvailabilityTopic, ...]:
        if self.availability_topic is None:
            return self.availability
        one = AvailabilityTopic(
            topic=self.availability_topic,
            payload_available=self.payload_available,
            payload_not_available=self.payload_not_available,
            value_template=self.availability_template,
        )
        return (one,)

    @property
    def features(self) -> frozenset[str]:
        """What it can do beyond on and off; words of ``services.home.platforms``."""
        return frozenset()

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        """Argument of a call → the words it may have on this device."""
        return {}

    @property
    def exposed(self) -> bool:
        """Whether it is meant for people: settings and diagnoses are not."""
        return self.enabled_by_default and self.entity_category is None

    def made_readings(self) -> list[Reading]:
        """All that its topics tell; subclasses say what."""
        return []

    @cached_property
    def readings(self) -> tuple[Reading, ...]:
        return tuple(self.made_readings())

    @cached_property
    def state_topics(self) -> tuple[str, ...]:
        own = dict.fromkeys(reading.topic for reading in self.readings)
        others = dict.fromkeys(other for other, stands_for in self.same_topics if stands_for in own)
        return (*own, *others)

    def stands_for(self, topic: str) -> str:
        """The topic whose readings a message on this topic carries."""
        return dict(self.same_topics).get(topic, topic)


def told_by(
    topic: str | None,
    template: str | None,
    read: Callable[[str, EntityState], Said | None],
    *fields: str,
) -> list[Reading]:
    """A reading where there is a topic for it, else nothing."""
    return [] if topic is None else [Reading(topic, frozenset(fields), read, template)]


def has(**abilities: object) -> frozenset[str]:
    """Names of the abilities that are there."""
    return frozenset(name for name, there in abilities.items() if there)
