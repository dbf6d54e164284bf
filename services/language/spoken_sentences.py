"""The sentences that can be spoken, as data: what is taken from the package and what we add.

``SELECTED`` and ``EXTRA`` are the sentences of the first release, ``WIDE`` those that came later.
The held-out set of evaluation is drawn from the first two alone, so that its figures can be
compared over the years: they are never edited, only replaced by name (``REPLACED``). Templates are
in ``hassil``'s form. Everything here can be typed as well and then does the same.
"""

from __future__ import annotations

from dataclasses import dataclass

# (intent, slot combination) → domains taken from it: only what this appliance can carry out.
SELECTED: dict[tuple[str, str], frozenset[str]] = {
    ("HassTurnOn", "area_domain"): frozenset({"light"}),
    ("HassTurnOn", "name_only"): frozenset({"light", "switch", "lock"}),
    ("HassTurnOff", "area_domain"): frozenset({"light"}),
    ("HassTurnOff", "domain_all"): frozenset({"light"}),
    ("HassTurnOff", "name_only"): frozenset({"light", "switch"}),
    ("HassLightSet", "area_brightness"): frozenset({"light"}),
    ("HassLightSet", "area_color"): frozenset({"light"}),
    ("HassLightSet", "name_brightness"): frozenset({"light"}),
    ("HassLightSet", "name_color"): frozenset({"light"}),
    ("HassGetState", "name_only"): frozenset({"sensor", "light", "switch", "lock", "cover"}),
    ("HassGetState", "name_state"): frozenset(
        {"light", "switch", "cover", "lock", "binary_sensor"}
    ),
    ("HassStartTimer", "hours_only"): frozenset(),
    ("HassStartTimer", "minutes_only"): frozenset(),
    ("HassStartTimer", "seconds_only"): frozenset(),
    ("HassStartTimer", "hours_minutes"): frozenset(),
    ("HassStartTimer", "minutes_seconds"): frozenset(),
    ("HassCancelTimer", "default"): frozenset(),
    ("HassTimerStatus", "default"): frozenset(),
    ("HassGetCurrentTime", "default"): frozenset(),
    ("HassGetCurrentDate", "default"): frozenset(),
    ("HassNevermind", "default"): frozenset(),
}

# What people say and the package does not hold: (intent, sentence, domains, implied arguments).
EXTRA: tuple[tuple[str, str, frozenset[str], tuple[tuple[str, str | int], ...]], ...] = (
    ("HassTurnOn", "<turn> on <all> <light> [<everywhere>]", frozenset(), (("domain", "light"),)),
    ("HassTurnOn", "<turn> <all> <light> on", frozenset(), (("domain", "light"),)),
    ("HassTurnOff", "(kill|cut) [<the>] {name}", frozenset({"light", "switch"}), ()),
    ("HassTurnOff", "{name} off", frozenset({"light", "switch"}), ()),
    ("HassTurnOff", "lights out", frozenset(), (("domain", "light"),)),
    ("HassTurnOff", "(kill|cut) [<the>] <light> in [<the>] {area}", frozenset(),
     (("domain", "light"),)),
    ("HassLightSet", "dim [<the>] {name} to {brightness} [percent]", frozenset({"light"}), ()),
    ("HassLightSet", "(brighten|dim) [<the>] {area} [<light>] to {brightness} [percent]",
     frozenset(), ()),
    ("HassLightSet", "(turn|paint) [<the>] {name} {color}", frozenset({"light"}), ()),
    ("HassLightSet", "turn [<the>] {area} <light> {color}", frozenset(), ()),
    ("HassGetState", "what is [the] [temperature of] [<the>] {name}", frozenset({"sensor"}), ()),
    ("HassGetState", "what's [the] [temperature of] [<the>] {name}", frozenset({"sensor"}), ()),
    ("HassGetState", "(what is|what's) [<the>] {name} [temperature|at|reading]",
     frozenset({"sensor"}), ()),
    ("HassGetState", "did (i|we) leave [<the>] {name} on", frozenset({"light", "switch"}), ()),
    ("HassTurnOn", "[(please|go and)] lock [up] [<the>] {name}", frozenset({"lock"}), ()),
    ("HassCancelTimer", "<timer_cancel> timer", frozenset(), ()),
    ("HassCancelTimer", "(clear|delete|remove) [the|my] timer", frozenset(), ()),
    ("HassTimerStatus", "how (long|much time) (is left|have i got)", frozenset(), ()),
    ("HassGetCurrentTime", "(what time is it|tell me the time|what's the time)", frozenset(), ()),
    ("HassGetCurrentDate", "(what day is it|what's the date) [today]", frozenset(), ()),
    ("HassNevermind", "(cancel that|forget it|forget that)", frozenset(), ()),
)  # fmt: skip

REPLACED = frozenset({"<turn> on <all> <light> [<everywhere>]"})
"""Sentences of ``EXTRA`` that ``WIDE`` says more exactly: what is "everywhere" is not this room."""


@dataclass(frozen=True)
class Said:
    """Some ways to ask for one thing."""

    topic: str
    """Row of ``sample.FREQUENCY``."""
    intent: str
    sentences: tuple[str, ...]
    needs: frozenset[str] = frozenset()
    """Domains of which the home, or the room or floor that is named, must have something."""
    fixed: tuple[tuple[str, str | int], ...] = ()
    weight: float = 1.0
    """Among what its topic holds; shared by the sentences."""


def _of(*domains: str) -> frozenset[str]:
    return frozenset(domains)


_NONE = _of()
_LIGHT, _COVER, _FAN = (("domain", "light"),), (("domain", "cover"),), (("domain", "fan"),)
_EVERYWHERE = ("area", "everywhere")
_CLASS = "{cover_classes:device_class}"
_TO_POSITION = "to {position} [percent]"
_DEGREES = "to {temperature} [degrees]"
_CLOCK = (
    "({clock_hour:hour} {clock_part:part}|{clock_hour:hour} {clock_minute:minute} "
    "[{clock_part:part}]|{clock_past:past} {clock_hour:hour} [{clock_part:part}]"
    "|{clock_hour:hour} [o'clock]|{clock_word:time})"
)
_SPAN = (
    "({timer_minutes:minutes} (minutes|minute)|{timer_seconds:seconds} (seconds|second)"
    "|{timer_hours:hours} (hours|hour))"
)
_TIMER = "[the|my] {timer_name:name} timer"

WIDE: tuple[Said, ...] = (
    Said("lights", "HassTurnOn", (
        "turn on all [the] lights everywhere", "turn all [the] lights on everywhere",
        "turn on [all] the lights in the [whole] house",
    ), _of("light"), (*_LIGHT, _EVERYWHERE)),
    Said("lights", "HassTurnOn", ("turn on all [the] lights",), frozenset(), _LIGHT),
    Said("lights", "HassTurnOn", (
        "turn on [all] [the] lights on [the] {floor}", "turn on [the] {floor} lights",
    ), _of("light"), _LIGHT),
    Said("lights", "HassTurnOff", (
        "turn off [all] [the] lights on [the] {floor}", "turn off [the] {floor} lights",
    ), _of("light"), _LIGHT),
    Said("covers", "HassTurnOn", ("(open|raise|open up) [the|my] {name}",),
         _of("cover", "valve"), (), 2.0),
    Said("covers", "HassTurnOff", ("(close|shut|lower) [the|my] {name}",),
         _of("cover", "valve"), (), 2.0),
    Said("covers", "HassTurnOn", (
        f"(open|raise) [the] {_CLASS} in [the] {{area}}", f"(open|raise) [the] {{area}} {_CLASS}",
    ), _of("cover"), _COVER),
    Said("covers", "HassTurnOff", (
        f"(close|shut|lower) [the] {_CLASS} in [the] {{area}}",
        f"(close|shut|lower) [the] {{area}} {_CLASS}",
    ), _of("cover"), _COVER),
    Said("covers", "HassTurnOn", (f"(open|raise) all [the] {_CLASS}",),
         _of("cover"), (*_COVER, _EVERYWHERE), 0.3),
    Said("covers", "HassTurnOff", (f"(close|shut|lower) all [the] {_CLASS}",),
         _of("cover"), (*_COVER, _EVERYWHERE), 0.3),
    Said("covers", "HassTurnOn", (f"(open|raise) [the] {_CLASS} on [the] {{floor}}",),
         _of("cover"), _COVER, 0.3),
    Said("covers", "HassTurnOff", (f"(close|shut|lower) [the] {_CLASS} on [the] {{floor}}",),
         _of("cover"), _COVER, 0.3),
    Said("covers", "HassSetPosition", (f"(set|open|close) [the|my] {{name}} {_TO_POSITION}",),
         _of("cover", "valve"), (), 1.0),
    Said("covers", "HassSetPosition", (
        f"(set|open|close) [the] {{area}} {_CLASS} {_TO_POSITION}",
        f"(set|open|close) [the] {_CLASS} in [the] {{area}} {_TO_POSITION}",
    ), _of("cover"), _COVER, 0.5),
    Said("covers", "HassStopMoving", ("stop [the|my] {name}",), _of("cover", "valve"), (), 0.5),
    Said("covers", "HassStopMoving", (
        f"stop [the] {_CLASS} in [the] {{area}}", f"stop [the] {{area}} {_CLASS}",
    ), _of("cover"), _COVER, 0.3),
    Said("locks", "HassTurnOff", ("unlock [the|my] {name}",), _of("lock")),
    Said("locks", "HassTurnOn", (
        "lock all [the] doors", "lock up the house", "lock everything",
    ), _of("lock"), (("domain", "lock"),), 0.3),
    Said("locks", "HassGetState", ("did (i|we) lock [the] {name}",), _of("lock"), (), 0.3),
    Said("climate", "HassClimateSetTemperature", (
        f"(set|change|adjust) [the] {{name}} {_DEGREES}",
        f"(set|change) [the] temperature of [the] {{name}} {_DEGREES}",
    ), _of("climate"), (), 2.0),
    Said("climate", "HassClimateSetTemperature", (f"(set|change) [the] {{name}} {_DEGREES}",),
         _of("water_heater"), (), 0.5),
    Said("climate", "HassClimateSetTemperature", (
        f"(set|change) [the] temperature in [the] {{area}} {_DEGREES}",
        f"(set|change) [the] {{area}} temperature {_DEGREES}",
    ), _of("climate")),
    Said("climate", "HassClimateSetTemperature", (f"(set|change|turn) the temperature {_DEGREES}",),
         _of("climate")),
    Said("climate", "HassClimateSetHvacMode", (
        "(set|switch|turn|put) [the] {name} to {hvac_mode:mode} [mode]",
    ), _of("climate")),
    Said("climate", "HassClimateSetHvacMode", (
        "(set|switch|put) [the] {area} (thermostat|heating|air conditioner) to {hvac_mode:mode} "
        "[mode]",
    ), _of("climate"), (), 0.5),
    Said("temperature", "HassClimateGetTemperature", (
        "(what's|what is) the temperature in [the] {area}",
        "(what's|what is) the {area} temperature",
        "how (warm|cold|hot) is it in [the] {area}",
        "how (warm|cold|hot) is [the] {area}",
    ), _of("climate", "sensor")),
    Said("temperature", "HassClimateGetTemperature", (
        "(what's|what is) the temperature [in here]", "how (warm|cold|hot) is it [in here]",
    ), _of("climate", "sensor"), (), 0.4),
    Said("temperature", "HassClimateGetTemperature", (
        "(what's|what is) the temperature of [the] {name}",
    ), _of("climate"), (), 0.3),
    Said("machines", "HassTurnOn", (
        "turn on [the|my] {name}", "turn [the|my] {name} on", "switch on [the|my] {name}",
    ), _of("fan", "climate", "humidifier", "water_heater"), (), 1.5),
    Said("machines", "HassTurnOff", (
        "turn off [the|my] {name}", "turn [the|my] {name} off", "switch off [the|my] {name}",
    ), _of("fan", "climate", "humidifier", "water_heater"), (), 1.5),
    Said("machines", "HassTurnOn", (
        "turn on [the] (fans|fan) in [the] {area}", "turn on the {area} (fan|fans)",
    ), _of("fan"), _FAN, 0.5),
    Said("machines", "HassTurnOff", (
        "turn off [the] (fans|fan) in [the] {area}", "turn off the {area} (fan|fans)",
    ), _of("fan"), _FAN, 0.5),
    Said("machines", "HassFanSetSpeed", (
        "set [the|my] {name} [speed] to {fan_speed:percentage} [percent]",
    ), _of("fan")),
    Said("machines", "HassFanSetSpeed", (
        "set [the] {area} (fan|fans) to {fan_speed:percentage} percent",
    ), _of("fan"), (), 0.3),
    Said("machines", "HassHumidifierSetpoint", (
        "set [the|my] {name} to {humidity} [percent]",
        "set the humidity of [the] {name} to {humidity} [percent]",
    ), _of("humidifier"), (), 0.5),
    Said("machines", "HassHumidifierSetpoint", (
        "set [the] humidity in [the] {area} to {humidity} [percent]",
        "set [the] {area} humidity to {humidity} [percent]",
    ), _of("humidifier"), (), 0.3),
    Said("scenes", "HassTurnOn", (
        "activate [the] {name} [scene]", "turn on [the] {name} [scene]",
        "start [the] {name} [scene]", "change to [the] {name} [scene]",
    ), _of("scene")),
    Said("scenes", "HassTurnOn", ("(press|push) [the] {name} [button]",), _of("button"), (), 0.5),
    Said("vacuum", "HassVacuumStart", ("(start|run) {name}", "turn on {name}"), _of("vacuum")),
    Said("vacuum", "HassVacuumStart", (
        "(start|run) the (vacuum|vacuum cleaner|robot)", "vacuum the (house|home|flat)",
    ), _of("vacuum")),
    Said("vacuum", "HassVacuumReturnToBase", (
        "(dock|stop) {name}", "send {name} (home|back|to its base)", "turn off {name}",
    ), _of("vacuum")),
    Said("vacuum", "HassVacuumReturnToBase", (
        "(dock|stop) the (vacuum|vacuum cleaner|robot)",
        "send the (vacuum|vacuum cleaner|robot) (home|back|to its base)",
    ), _of("vacuum")),
    Said("timers", "HassStartTimer", (
        f"(set|start|create) a {{timer_name:name}} timer for {_SPAN}",
        "(set|start) a {timer_minutes:minutes} minute timer for {timer_name:name}",
        f"a {{timer_name:name}} timer for {_SPAN}",
    ), _NONE, (), 2.0),
    Said("timers", "HassCancelTimer", (f"(cancel|stop) {_TIMER}",)),
    Said("timers", "HassCancelTimer", (
        "(cancel|stop) [the|my] {timer_minutes:start_minutes} minute timer",
    ), _NONE, (), 0.3),
    Said("timers", "HassCancelAllTimers", ("(cancel|stop) all [the|my] timers",), _NONE, (), 0.7),
    Said("timers", "HassIncreaseTimer", (f"add {_SPAN} to [the|my] [{{timer_name:name}}] timer",)),
    Said("timers", "HassDecreaseTimer", (
        f"(take|remove) {_SPAN} (off|from) [the|my] [{{timer_name:name}}] timer",
    ), _NONE, (), 0.7),
    Said("timers", "HassPauseTimer", ("pause [the|my] [{timer_name:name}] timer",), _NONE, (), 0.7),
    Said("timers", "HassUnpauseTimer", (
        "(resume|continue) [the|my] [{timer_name:name}] timer",
    ), _NONE, (), 0.7),
    Said("timers", "HassTimerStatus", (
        f"how long is left on {_TIMER}", f"how much time is left on {_TIMER}",
    )),
    Said("alarms", "LinnetSetAlarm", (
        f"set (an|the|my) alarm for {_CLOCK} [{{alarm_days:days}}]",
        f"wake me [up] at {_CLOCK} [{{alarm_days:days}}]",
    ), _NONE, (), 2.0),
    Said("alarms", "LinnetCancelAlarm", (
        "(cancel|delete|remove) (the|my) alarm", f"(cancel|delete) (the|my) alarm for {_CLOCK}",
    )),
    Said("alarms", "LinnetAlarmStatus", (
        "(what|which) alarms (are|do i have) set", "when is my [next] alarm",
        "do i have an alarm [set]",
    )),
    Said("alarms", "LinnetSnooze", (
        "snooze", "snooze [for] {snooze_minutes:minutes} (minutes|minute)",
    ), _NONE, (), 0.7),
    Said("volume", "HassSetVolume", (
        "(set|turn) [the|your] volume to {volume:volume_level} [percent]",
    )),
    Said("volume", "HassSetVolumeRelative", (
        "louder", "speak up", "(turn the volume|volume) up", "turn up the volume",
    ), _NONE, (("volume_step", "up"),), 0.7),
    Said("volume", "HassSetVolumeRelative", (
        "quieter", "not so loud", "(turn the volume|volume) down", "turn down the volume",
    ), _NONE, (("volume_step", "down"),), 0.7),
    Said("talk", "LinnetRepeat", (
        "(repeat|say) that again", "repeat that", "say it again", "what did you say",
    )),
    Said("talk", "LinnetUndo", ("undo that", "undo the last command", "take that back")),
    Said("talk", "LinnetStop", ("stop [that|talking]", "be quiet", "that's enough")),
    Said("sums", "LinnetArithmetic", (
        "(what is|what's|how much is) {sum_left:left} {sum_operator:operator} {sum_right:right}",
    )),
)  # fmt: skip
