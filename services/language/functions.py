"""The table of functions: what can be called, with which arguments, and what kind of effect it has.

One row serves everyone: recognition keeps to these names, a language model is shown them as tools,
and whatever a model writes is checked against them before it goes any further.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, Protocol

from pydantic import ValidationError

from services.language import arguments as a
from services.language.calls import Call

Effect = Literal["moves", "asks", "times", "tells", "volume", "talks"]
"""moves: devices; asks: about devices; times: timers, alarms, reminders; tells: an answer without a
device; volume: how loud the appliance is; talks: the conversation itself."""

SWITCHED = frozenset({
    "light", "switch", "fan", "cover", "valve", "lock", "climate", "humidifier", "water_heater",
    "vacuum", "siren",
})  # fmt: skip
STARTED = frozenset({"scene", "button"})
READ = SWITCHED | {"sensor", "binary_sensor", "number", "select", "text", "alarm_control_panel"}


EVERYWHERE = "everywhere"
"""The area of a call that is about the whole home."""


class CallError(ValueError):
    """A call that no function takes; the text names function, argument and rule, never a value."""


@dataclass(frozen=True)
class Function:
    """One row of the table."""

    name: str
    """Home Assistant's intent name, or ours where it has none."""
    description: str
    arguments: type[a.Arguments]
    effect: Effect
    domains: frozenset[str] = field(default_factory=frozenset)
    """Platforms of the devices it can be about; empty when it needs none."""


def _domains(*names: str) -> frozenset[str]:
    return frozenset(names)


_ROWS = (
    Function("HassTurnOn", "Turns on, opens, locks, starts or activates. On a lock: LOCKS it; on a "
             "cover or valve: opens it.", a.Somewhere, "moves", SWITCHED | STARTED),
    Function("HassTurnOff", "Turns off or closes. On a lock: UNLOCKS it; on a cover or valve: "
             "closes it.", a.Somewhere, "moves", SWITCHED),
    Function("HassLightSet", "Sets brightness, colour or colour temperature of lights.",
             a.LightSet, "moves", _domains("light")),
    Function("HassSetPosition", "Opens covers or valves to a position.",
             a.Position, "moves", _domains("cover", "valve")),
    Function("HassStopMoving", "Stops covers or valves where they are.",
             a.Somewhere, "moves", _domains("cover", "valve")),
    Function("HassClimateSetTemperature", "Sets the wanted temperature.",
             a.Temperature, "moves", _domains("climate", "water_heater")),
    Function("HassClimateGetTemperature", "Tells the temperature of a room or thermostat.",
             a.Place, "asks", _domains("climate", "sensor")),
    Function("HassClimateSetHvacMode", "Makes a thermostat or air conditioner heat, cool or rest.",
             a.HvacMode, "moves", _domains("climate")),
    Function("HassClimateSetFanMode", "Sets the fan mode of a thermostat or air conditioner.",
             a.FanMode, "moves", _domains("climate")),
    Function("HassFanSetSpeed", "Sets the speed of fans.",
             a.FanSpeed, "moves", _domains("fan")),
    Function("HassHumidifierSetpoint", "Sets the wanted humidity.",
             a.Humidity, "moves", _domains("humidifier")),
    Function("HassHumidifierMode", "Sets the mode of a humidifier.",
             a.Mode, "moves", _domains("humidifier")),
    Function("HassVacuumStart", "Starts a vacuum cleaner.",
             a.Place, "moves", _domains("vacuum")),
    Function("HassVacuumReturnToBase", "Sends a vacuum cleaner back to its base.",
             a.Place, "moves", _domains("vacuum")),
    Function("HassGetState", "Tells the state of devices; `state` is what was asked about.",
             a.StateOf, "asks", READ),
    Function("LinnetAdjust", "Makes lights brighter or dimmer, rooms warmer or cooler, covers more "
             "or less open, fans faster or slower, from where they are now.",
             a.Adjust, "moves",
             _domains("light", "climate", "water_heater", "cover", "valve", "fan", "humidifier")),
    Function("LinnetSetNumber", "Sets a number of a device.",
             a.Number, "moves", _domains("number")),
    Function("LinnetSelectOption", "Chooses one of a device's options.",
             a.Option, "moves", _domains("select")),
    Function("LinnetSetText", "Sets a text of a device.", a.Text, "moves", _domains("text")),
    Function("LinnetArm", "Arms the alarm system. It cannot be disarmed by voice.",
             a.Arm, "moves", _domains("alarm_control_panel")),
    Function("HassStartTimer", "Starts a timer.", a.StartTimer, "times"),
    Function("HassCancelTimer", "Cancels a timer.", a.Which, "times"),
    Function("HassCancelAllTimers", "Cancels all timers.", a.Room, "times"),
    Function("HassIncreaseTimer", "Adds time to a timer.", a.Change, "times"),
    Function("HassDecreaseTimer", "Takes time from a timer.", a.Change, "times"),
    Function("HassPauseTimer", "Pauses a timer.", a.Which, "times"),
    Function("HassUnpauseTimer", "Lets a paused timer run on.", a.Which, "times"),
    Function("HassTimerStatus", "Tells how much time is left.", a.Which, "times"),
    Function("LinnetSetAlarm", "Sets an alarm clock.", a.SetAlarm, "times"),
    Function("LinnetCancelAlarm", "Cancels an alarm.", a.WhichAlarm, "times"),
    Function("LinnetAlarmStatus", "Tells which alarms are set.", a.WhichAlarm, "times"),
    Function("LinnetReminder", "Reminds of something later.", a.Reminder, "times"),
    Function("LinnetReminderStatus", "Tells what will be reminded of, and when.", a.Nothing,
             "times"),
    Function("LinnetCancelReminder", "Cancels a reminder.", a.WhichReminder, "times"),
    Function("LinnetSnooze", "Lets what rings be silent for a while.", a.Snooze, "times"),
    Function("HassGetCurrentTime", "Tells the time.", a.Nothing, "tells"),
    Function("HassGetCurrentDate", "Tells the date.", a.Nothing, "tells"),
    Function("LinnetArithmetic", "Calculates with two numbers.", a.Arithmetic, "tells"),
    Function("HassSetVolume", "Sets how loud the appliance is.", a.Volume, "volume"),
    Function("HassSetVolumeRelative", "Makes the appliance louder or quieter.",
             a.VolumeStep, "volume"),
    Function("HassMediaPlayerMute", "Makes the appliance silent; it still listens and rings.",
             a.Nothing, "volume"),
    Function("HassMediaPlayerUnmute", "Makes the appliance as loud as it was before.",
             a.Nothing, "volume"),
    Function("LinnetMicrophone", "Tells how the microphone is closed and opened: by its switch, "
             "never by a call.", a.Nothing, "talks"),
    Function("LinnetRepeat", "Says the last answer again.", a.Nothing, "talks"),
    Function("LinnetStop", "Stops what is being said or rings.", a.Nothing, "talks"),
    Function("LinnetUndo", "Undoes the last command.", a.Nothing, "talks"),
    Function("HassNevermind", "Nothing is to be done.", a.Nothing, "talks"),
)  # fmt: skip

FUNCTIONS: Mapping[str, Function] = {row.name: row for row in _ROWS}
"""The whole table by name."""
VOLUMES = frozenset(row.name for row in _ROWS if row.effect == "volume")
"""Calls about the appliance's own volume, where they name no device."""


def checked(call: Call) -> Call:
    """The call in canonical form: as given, with whole numbers as ints and decimals as texts.

    Raises:
        CallError: no such function, or an argument it does not take.
    """
    if len(call.args) != len(call.arguments):
        raise CallError(f"{call.name}: an argument is given twice")
    return read_call(call.name, call.args)


def read_call(name: str, arguments: Mapping[str, object]) -> Call:
    """A call as any model writes it, name and parsed JSON arguments, checked.

    Raises:
        CallError: as ``checked``.
    """
    function = FUNCTIONS.get(name)
    if function is None:
        raise CallError("no such function")
    try:
        model = function.arguments.model_validate(dict(arguments))
    except ValidationError as error:
        raise CallError(f"{name}: {_explain(error)}") from None
    return Call.of(name, **model.model_dump(exclude_none=True))


def _explain(error: ValidationError) -> str:
    """The first fault by argument and rule: pydantic's own text would quote the value."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "extra_forbidden":
        return "an argument it does not take"
    where = ".".join(str(part) for part in first["loc"][:1])
    rule = "has not its form" if first["type"] == "string_pattern_mismatch" else first["msg"]
    return ": ".join(filter(None, (where, rule.removeprefix("Value error, "))))


class Other(Protocol):
    """A tool that is not of this table: one of another server, listed by the owner."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def schema(self) -> Mapping[str, Any]: ...


def tools(others: Iterable[Other] = ()) -> tuple[dict[str, Any], ...]:
    """The table as OpenAI-style tools, for language models that call functions.

    Args:
        others: shown after the table, so that it stays the same beginning of every prompt. Their
            names begin with their server's; a name that is none of this format, or is taken, is
            left out.
    """
    shown = {tool["function"]["name"]: tool for tool in _tools()}
    for other in others:
        if _OTHER.fullmatch(other.name):
            shown.setdefault(other.name, _shown(other.name, other.description, dict(other.schema)))
    return tuple(shown.values())


_OTHER = re.compile(r"(?=.{1,64}$)[a-z][a-z0-9_]*?__[a-zA-Z0-9_-]+")


@lru_cache(maxsize=1)
def _tools() -> tuple[dict[str, Any], ...]:
    return tuple(_tool(function) for function in FUNCTIONS.values())


def _tool(function: Function) -> dict[str, Any]:
    schema = function.arguments.model_json_schema()
    properties = {key: _plain(value) for key, value in schema.get("properties", {}).items()}
    parameters = {
        "type": "object",
        "properties": properties,
        "required": schema.get("required", []),
        "additionalProperties": False,
    }
    return _shown(function.name, function.description, parameters)


def _shown(name: str, description: str, parameters: dict[str, Any]) -> dict[str, Any]:
    body = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": body}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Without titles and ``null``: an argument that is not meant is left out."""
    kept = {k: v for k, v in schema.items() if k not in ("title", "default")}
    choices = [c for c in kept.pop("anyOf", ()) if c.get("type") != "null"]
    if len(choices) == 1:
        return {**choices[0], **kept}
    return {"anyOf": choices, **kept} if choices else kept
