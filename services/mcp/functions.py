"""The home's functions as tools see them: schemas, checking and kind of effect, in one value.

The rows are what the home carries out today. Another table is put in by making another
``Functions`` from its schemas and its checking function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.home.colors import NAMES
from services.language.calls import Call

Effect = Literal["moves", "asks", "times", "tells", "volume", "talks"]


@dataclass(frozen=True)
class Functions:
    """A table of functions."""

    tools: tuple[Mapping[str, Any], ...]
    """OpenAI-style: ``{"type": "function", "function": {name, description, parameters}}``."""
    read: Callable[[str, Mapping[str, object]], Call]
    """Name and arguments to a checked call; raises ValueError with a text that quotes no value."""
    effects: Mapping[str, str]
    """Name → an ``Effect``."""


class _Arguments(BaseModel):
    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True
    )


Words = Annotated[str, Field(min_length=1, max_length=100)]
Amount = Annotated[int, Field(ge=0, le=86_400)]


class _Place(_Arguments):
    name: Words | None = None
    """Name of one device, as get_home lists it."""
    area: Words | None = None
    """Name of a room, as get_home lists it."""

    @model_validator(mode="after")
    def _told(self) -> _Place:
        if self.name is None and self.area is None:
            raise ValueError("needs name or area")
        return self


class _Switch(_Place):
    domain: Literal["light", "switch"] | None = None
    """Kind of device, where a room is meant; lights unless told."""


class _LightSet(_Place):
    brightness: Annotated[int, Field(ge=0, le=100)] | None = None
    """Percent of full brightness."""
    color: Annotated[str, Field(json_schema_extra={"enum": list(NAMES)})] | None = None
    """English name of the colour."""

    @model_validator(mode="after")
    def _wish(self) -> _LightSet:
        if self.brightness is None and self.color is None:
            raise ValueError("needs brightness or color")
        if self.color is not None and self.color not in NAMES:
            raise ValueError("color is not one of those listed")
        return self


class _Named(_Arguments):
    name: Words
    """Name of one device, as get_home lists it."""


class _Timer(_Arguments):
    hours: Amount | None = None
    minutes: Amount | None = None
    seconds: Amount | None = None


_ROWS: Mapping[str, tuple[Effect, str, type[_Arguments]]] = {
    "HassTurnOn": ("moves", "Turns on lights or a switch. On a lock: LOCKS it.", _Switch),
    "HassTurnOff": ("moves", "Turns off lights or a switch. On a lock: UNLOCKS it.", _Switch),
    "HassLightSet": ("moves", "Sets brightness or colour of lights.", _LightSet),
    "HassGetState": ("asks", "Tells the state of a device.", _Named),
    "HassStartTimer": ("times", "Starts a timer.", _Timer),
    "HassCancelTimer": ("times", "Cancels the timer started last.", _Arguments),
    "HassTimerStatus": ("times", "Tells how much time the next timer has left.", _Arguments),
    "HassGetCurrentTime": ("tells", "Tells the time.", _Arguments),
    "HassGetCurrentDate": ("tells", "Tells the date.", _Arguments),
}


def today() -> Functions:
    """The functions the home carries out today."""
    tools = tuple(_tool(name, text, model) for name, (_, text, model) in _ROWS.items())
    return Functions(tools, _read, {name: effect for name, (effect, _, _) in _ROWS.items()})


def _read(name: str, arguments: Mapping[str, object]) -> Call:
    row = _ROWS.get(name)
    if row is None:
        raise ValueError("no such function")
    try:
        model = row[2].model_validate(dict(arguments))
    except ValidationError as error:
        raise ValueError(_explain(error)) from None
    return Call.of(name, **model.model_dump(exclude_none=True))


def _explain(error: ValidationError) -> str:
    """First fault by argument and rule; pydantic's own text would quote the value."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "extra_forbidden":
        return "an argument it does not take"
    where = ".".join(str(part) for part in first["loc"][:1])
    return ": ".join(filter(None, (where, first["msg"].removeprefix("Value error, "))))


def _tool(name: str, text: str, model: type[_Arguments]) -> dict[str, Any]:
    schema = model.model_json_schema()
    parameters = {
        "type": "object",
        "properties": {k: _plain(v) for k, v in schema.get("properties", {}).items()},
        "required": schema.get("required", []),
        "additionalProperties": False,
    }
    body = {"name": name, "description": text, "parameters": parameters}
    return {"type": "function", "function": body}


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Without titles and ``null``: an argument that is not meant is left out."""
    kept = {k: v for k, v in schema.items() if k not in ("title", "default", "anyOf")}
    choices = [c for c in schema.get("anyOf", ()) if c.get("type") != "null"]
    return {**(choices[0] if choices else {}), **kept}
