"""The way back from a command: planned from what was before, what came of it, and what is now."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.home.commands import command
from services.home.entities import Entity
from services.home.states import EntityState
from services.home.undo import KEPT, WITHIN_S, Done, History, Plan, plan
from services.language.calls import Call
from tests.services.home.guarded import thing
from tests.services.home.things import JSON_COLOR, entity, light, registry

(LAMP,) = registry(light("lamp", **JSON_COLOR)).snapshot()


def with_state(entity: Entity, value: str | None, **more: object) -> Entity:
    return replace(entity, state=EntityState(value, **more))  # type: ignore[arg-type]


HEATER = entity(
    "climate", name="Heater", mode_command_topic="m", mode_state_topic="ms", modes=["off", "heat"],
    temperature_command_topic="t", temperature_state_topic="ts", fan_mode_command_topic="f",
    fan_mode_state_topic="fs", fan_modes=["low", "high"],
)  # fmt: skip
BOILER = entity("water_heater", name="Boiler", power_command_topic="p", mode_state_topic="ms",
                temperature_command_topic="t")  # fmt: skip
FAN = entity("fan", name="Fan", command_topic="c", percentage_command_topic="p")
MIST = entity("humidifier", name="Mist", command_topic="c", target_humidity_command_topic="t",
              modes=["eco", "sleep"], mode_command_topic="m")  # fmt: skip
BLIND = entity("cover", name="Blind", command_topic="c", set_position_topic="p")
PLAIN_BLIND = entity("cover", name="Blind", command_topic="c", position_topic="p")
TAP = entity("valve", name="Tap", command_topic="c", reports_position=True)
LEVEL = entity("number", name="Level", command_topic="c")
PROGRAM = entity("select", name="Program", command_topic="c", options=["wool", "cotton"])
SIGN = entity("text", name="Sign", command_topic="c")
ROBBY = entity("vacuum", name="Robby", command_topic="c")
ALARM = entity("alarm_control_panel", name="Alarm", command_topic="c")
WHITE = entity("light", name="Lamp", command_topic="c", schema="json",
               supported_color_modes=["color_temp", "rgb"])  # fmt: skip


def of(name: str, thing: Entity, **arguments: str | int) -> Call:
    return Call.of(name, name=thing.name, **arguments)


@pytest.mark.parametrize(
    ("before", "after", "back"),
    [
        (with_state(HEATER, "heat", temperature=20.5), with_state(HEATER, "heat", temperature=23.0),
         of("HassClimateSetTemperature", HEATER, temperature="20.5")),
        (with_state(HEATER, "heat", temperature=20.0), with_state(HEATER, "off", temperature=7.0),
         of("HassClimateSetHvacMode", HEATER, mode="heat")),
        (with_state(HEATER, "heat", fan_mode="low"), with_state(HEATER, "heat", fan_mode="high"),
         of("HassClimateSetFanMode", HEATER, fan_mode="low")),
        (with_state(BOILER, "eco"), with_state(BOILER, "off"), of("HassTurnOn", BOILER)),
        (with_state(BOILER, "eco", temperature=50.0), with_state(BOILER, "eco", temperature=60.0),
         of("HassClimateSetTemperature", BOILER, temperature=50)),
        (with_state(FAN, "on", percentage=30), with_state(FAN, "on", percentage=80),
         of("HassFanSetSpeed", FAN, percentage=30)),
        (with_state(FAN, "on", percentage=30), with_state(FAN, "off", percentage=0),
         of("HassFanSetSpeed", FAN, percentage=30)),
        (with_state(FAN, "off", percentage=0), with_state(FAN, "on", percentage=80),
         of("HassTurnOff", FAN)),
        (with_state(MIST, "on", humidity=45.0), with_state(MIST, "on", humidity=60.0),
         of("HassHumidifierSetpoint", MIST, humidity=45)),
        (with_state(MIST, "on", mode="eco"), with_state(MIST, "on", mode="sleep"),
         of("HassHumidifierMode", MIST, mode="eco")),
        (with_state(MIST, "on", humidity=45.0), with_state(MIST, "off", humidity=45.0),
         of("HassTurnOn", MIST)),
        (with_state(BLIND, "open", position=40), with_state(BLIND, "closing", position=40),
         of("HassSetPosition", BLIND, position=40)),
        (with_state(BLIND, "opening", position=40), with_state(BLIND, "stopped", position=45),
         of("HassTurnOn", BLIND)),
        (with_state(TAP, "open", position=25), with_state(TAP, "closed", position=0),
         of("HassSetPosition", TAP, position=25)),
        (with_state(LEVEL, "5", number=5.0), with_state(LEVEL, "9", number=9.0),
         of("LinnetSetNumber", LEVEL, value=5)),
        (with_state(PROGRAM, "wool"), with_state(PROGRAM, "cotton"),
         of("LinnetSelectOption", PROGRAM, option="wool")),
        (with_state(SIGN, "away"), with_state(SIGN, "home"),
         of("LinnetSetText", SIGN, value="away")),
        (with_state(ROBBY, "docked"), with_state(ROBBY, "cleaning"),
         of("HassVacuumReturnToBase", ROBBY)),
        (with_state(ALARM, "armed_home"), with_state(ALARM, "arming"),
         of("LinnetArm", ALARM, mode="home")),
        (with_state(WHITE, "on", kelvin=2700), with_state(WHITE, "on", kelvin=5000),
         of("HassLightSet", WHITE, temperature=2700)),
        (with_state(WHITE, "on", kelvin=2700), with_state(WHITE, "on", color=(255, 0, 0)),
         of("HassLightSet", WHITE, temperature=2700)),
        (with_state(WHITE, "on", color=(255, 0, 0)), with_state(WHITE, "on", kelvin=2700),
         of("HassLightSet", WHITE, color="red")),
    ],
)  # fmt: skip
def test_what_was_set_is_set_back_by_a_command_the_device_takes(
    before: Entity, after: Entity, back: Call
) -> None:
    found = plan([before], [after], [after])
    assert (calls(found), found.left) == ([back], ())
    assert command(after, back).messages


def calls(found: Plan) -> list[Call]:
    return [step.call for step in found.steps]


@pytest.mark.parametrize(
    ("before", "after", "back"),
    [
        (with_state(LAMP, "off"), with_state(LAMP, "on", brightness=100),
         Call.of("HassTurnOff", name="lamp")),
        (with_state(LAMP, "on", brightness=30), with_state(LAMP, "off", brightness=30),
         Call.of("HassLightSet", name="lamp", brightness=30)),
        (with_state(LAMP, "on", brightness=30), with_state(LAMP, "on", brightness=80),
         Call.of("HassLightSet", name="lamp", brightness=30)),
        (with_state(LAMP, "on", color=(250, 4, 2)), with_state(LAMP, "on", color=(0, 0, 255)),
         Call.of("HassLightSet", name="lamp", color="red")),
        (with_state(LAMP, "on"), with_state(LAMP, "off"), Call.of("HassTurnOn", name="lamp")),
        (with_state(thing("lock", "door"), "unlocked"), with_state(thing("lock", "door"), "locked"),
         Call.of("HassTurnOff", name="door")),
        (with_state(thing("cover", "blind"), "closed"), with_state(thing("cover", "blind"), "open"),
         Call.of("HassTurnOff", name="blind")),
        (with_state(thing("fan", "fan"), "on"), with_state(thing("fan", "fan"), "off"),
         Call.of("HassTurnOn", name="fan")),
    ],
)  # fmt: skip
def test_each_kind_of_thing_is_led_back(before: Entity, after: Entity, back: Call) -> None:
    found = plan([before], [after], [after])
    assert calls(found) == [back]
    assert found.steps[0].entity == after
    assert found.left == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (with_state(LAMP, None), with_state(LAMP, "on")),
        (with_state(LAMP, "on", color=(120, 130, 60)), with_state(LAMP, "on", color=(255, 0, 0))),
        (with_state(thing("button", "bell"), "on"), with_state(thing("button", "bell"), "off")),
        (with_state(ALARM, "disarmed"), with_state(ALARM, "arming")),
        (with_state(PLAIN_BLIND, "open", position=40), with_state(PLAIN_BLIND, "closed")),
        (with_state(PROGRAM, "silk"), with_state(PROGRAM, "wool")),
        (with_state(HEATER, "heat", mode="eco"), with_state(HEATER, "heat", mode="boost")),
        (with_state(WHITE, "on"), with_state(WHITE, "on", kelvin=2700)),
        (with_state(ROBBY, "paused"), with_state(ROBBY, "cleaning")),
    ],
    ids=[
        "never heard before",
        "a colour without a name",
        "a button",
        "an alarm that was off",
        "half open without a position to set",
        "no option of its own",
        "a preset",
        "a white never heard",
        "a vacuum that paused",
    ],
)
def test_what_cannot_be_asked_for_again_is_left_and_named(before: Entity, after: Entity) -> None:
    assert plan([before], [after], [after]) == Plan((), (before.name,))


def test_what_did_not_change_needs_no_way_back() -> None:
    on = with_state(LAMP, "on")
    assert plan([on], [on], [on]) == Plan()


@pytest.mark.parametrize("now", [[], [replace(LAMP, name="other")]], ids=["gone", "another"])
def test_a_device_that_is_not_the_same_any_more_is_left(now: list[Entity]) -> None:
    before, after = with_state(LAMP, "off"), with_state(LAMP, "on")
    assert plan([before], [after], now) == Plan((), ("lamp",))


def test_only_the_last_command_counts_and_each_only_once() -> None:
    history = History()
    first = Done((LAMP,), (LAMP,), 0.0)
    second = Done((), (), 10.0)
    history.add(first)
    history.add(second)
    assert history.take(11.0) == second
    assert history.take(12.0) == first
    assert history.take(13.0) is None


def test_two_minutes_and_no_more() -> None:
    history = History()
    history.add(Done((LAMP,), (LAMP,), 0.0))
    assert history.take(WITHIN_S + 0.1) is None
    history.add(Done((LAMP,), (LAMP,), 500.0))
    assert history.take(500.0 + WITHIN_S) is not None


@given(st.lists(st.floats(0, 60), max_size=30))
def test_history_is_bounded(pauses: list[float]) -> None:
    history, now_s = History(), 0.0
    for pause in pauses:
        now_s += pause
        history.add(Done((), (), now_s))
    taken = 0
    while history.take(now_s) is not None:
        taken += 1
    assert taken <= KEPT
