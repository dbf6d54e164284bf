"""A relative wish becomes an absolute one, from where each device says that it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.home.commands import command
from services.home.entities import Entity
from services.home.relative import steps
from services.home.resolver import resolve
from services.home.risk import risk
from services.home.state import EntityState
from services.language.calls import Call
from tests.services.home.things import JSON_COLOR, entity, light, registry

NOW_S = 0.0
DIMMED = {"schema": "json", "brightness": True, "supported_color_modes": ["brightness"]}
CLIMATE = {
    "temperature_command_topic": "goal", "temperature_state_topic": "goal/now",
    "min_temp": 5, "max_temp": 30, "temp_step": 0.5,
}  # fmt: skip
COVER = {"set_position_topic": "position", "position_topic": "position/now"}
FAN = {"percentage_command_topic": "speed", "percentage_state_topic": "speed/now"}


def in_state(platform: str, state: EntityState, **body: object) -> Entity:
    return replace(entity(platform, command_topic="set", **body), state=state)


def wish(quantity: str, direction: str, **more: str | int) -> Call:
    return Call.of("LinnetAdjust", quantity=quantity, direction=direction, **more)


def led(one: Entity, call: Call) -> Call | None:
    """The call that is carried out on one device."""
    found = steps(call, [one], NOW_S)
    return found.steps[0].call if found.steps else None


LAMP, DARK = EntityState("on", brightness=40), EntityState("off", brightness=40)


@pytest.mark.parametrize(
    ("state", "asked", "level"),
    [
        (LAMP, wish("brightness", "up"), 60),
        (LAMP, wish("brightness", "down"), 20),
        (LAMP, wish("brightness", "up", amount=10), 50),
        (LAMP, wish("brightness", "up", amount=90), 100),
        (LAMP, wish("brightness", "down", amount=90), 1),
        (EntityState("on", brightness=100), wish("brightness", "up"), 100),
        (EntityState("on", brightness=1), wish("brightness", "down"), 1),
        (DARK, wish("brightness", "up"), 20),
        (DARK, wish("brightness", "down"), 0),
    ],
)
def test_a_lamp_goes_from_where_it_is_and_is_never_dimmed_out(
    state: EntityState, asked: Call, level: int
) -> None:
    lamp = in_state("light", state, **DIMMED)
    assert led(lamp, asked) == Call.of("HassLightSet", brightness=level)


@pytest.mark.parametrize(
    ("goal", "asked", "degrees"),
    [
        (20.0, wish("temperature", "up"), 21),
        (20.5, wish("temperature", "down"), "19.5"),
        (20.0, wish("temperature", "up", amount="0.5"), "20.5"),
        (20.0, wish("temperature", "up", amount="0.1"), "20.5"),
        (29.5, wish("temperature", "up", amount=3), 30),
        (5.0, wish("temperature", "down"), 5),
    ],
)
def test_a_room_becomes_warmer_by_a_degree_within_what_its_thermostat_takes(
    goal: float, asked: Call, degrees: str | int
) -> None:
    thermostat = in_state("climate", EntityState("heat", temperature=goal), **CLIMATE)
    assert led(thermostat, asked) == Call.of("HassClimateSetTemperature", temperature=degrees)


def test_a_degree_fahrenheit_is_less() -> None:
    thermostat = in_state("climate", EntityState("heat", temperature=68.0),
                          **{**CLIMATE, "temperature_unit": "F", "max_temp": 90})  # fmt: skip
    asked = wish("temperature", "up")
    assert led(thermostat, asked) == Call.of("HassClimateSetTemperature", temperature=70)


@pytest.mark.parametrize(
    ("state", "asked", "percent"),
    [
        (EntityState("open", position=50), wish("position", "up"), 70),
        (EntityState("open", position=50), wish("position", "down", amount=10), 40),
        (EntityState("open", position=90), wish("position", "up"), 100),
        (EntityState("closed"), wish("position", "up"), 20),
        (EntityState("open"), wish("position", "down"), 80),
    ],
)
def test_a_blind_opens_a_little_further(state: EntityState, asked: Call, percent: int) -> None:
    blind = in_state("cover", state, **COVER)
    assert led(blind, asked) == Call.of("HassSetPosition", position=percent)


@pytest.mark.parametrize("speeds", [1, 2, 3, 4, 5, 6, 7, 10, 100])
def test_a_fan_of_few_speeds_always_gets_to_the_next_one(speeds: int) -> None:
    reached = []
    fan = in_state("fan", EntityState("off"), speed_range_max=speeds, **FAN)
    spec = fan.found.spec
    for direction in ("up", "down"):
        for _ in range(speeds):
            call = led(fan, wish("speed", direction, amount=1))
            assert call is not None
            percent = int(call.args["percentage"])
            speed = spec.speed(percent)  # type: ignore[attr-defined]
            reached.append(speed)
            fan = replace(fan, state=EntityState("on", percentage=spec.percent(speed)))  # type: ignore[attr-defined]
    assert reached == [*range(1, speeds + 1), *range(speeds - 1, 0, -1), 1]


def test_humidity_goes_by_five_percent() -> None:
    bounds = {"target_humidity_command_topic": "goal", "min_humidity": 30, "max_humidity": 48}
    moist = in_state("humidifier", EntityState("on", humidity=45.0), **bounds)
    assert led(moist, wish("humidity", "up")) == Call.of("HassHumidifierSetpoint", humidity=48)
    assert led(moist, wish("humidity", "down")) == Call.of("HassHumidifierSetpoint", humidity=40)


def test_what_has_not_said_where_it_is_is_told_and_not_moved() -> None:
    dumb = in_state("light", EntityState("on"), **DIMMED)
    found = steps(wish("brightness", "up"), [dumb], NOW_S)
    assert found.steps == ()
    assert found.facts == {"unknown": "thing"}


def test_of_a_rooms_lamps_those_that_shine_are_dimmed_and_none_is_lit() -> None:
    lamps = registry(*(light(n, "den", **DIMMED) for n in ("One", "Two", "Three"))).snapshot()
    shining, dark, dim = (
        replace(lamp, state=state)
        for lamp, state in zip(lamps, (LAMP, DARK, EntityState("on", brightness=10)), strict=True)
    )
    call = wish("brightness", "down", area="den")
    found = steps(call, [shining, dark, dim], NOW_S)
    assert [(s.entity, s.call.args["brightness"]) for s in found.steps] == [(shining, 20), (dim, 1)]
    assert found.call == call
    alike = steps(call, [shining, replace(dim, state=LAMP)], NOW_S)
    assert alike.call == Call.of("HassLightSet", area="den", brightness=20)


def test_all_are_lit_where_none_shines() -> None:
    lamps = registry(*(light(n, "den", **DIMMED) for n in ("One", "Two"))).snapshot()
    found = steps(wish("brightness", "up"), [replace(e, state=DARK) for e in lamps], NOW_S)
    assert [step.call.args["brightness"] for step in found.steps] == [20, 20]


def test_opening_a_gate_a_little_is_opening_it() -> None:
    gate = in_state("cover", EntityState("closed", position=0), device_class="gate", **COVER)
    call = led(gate, wish("position", "up"))
    assert call is not None
    assert risk(call, gate) == "open"


def test_only_devices_that_have_such_a_scale_are_meant() -> None:
    home = registry(
        light("Dimmer", "den", **DIMMED), light("Bulb", "den"),
        light("Colour", "hall", **JSON_COLOR),
    ).snapshot()  # fmt: skip
    found = resolve(wish("brightness", "up", area="den"), home)
    assert [entity.name for entity in found.targets] == ["dimmer"]
    assert resolve(wish("brightness", "up", name="bulb"), home).refusal == "unsupported"
    assert resolve(wish("speed", "up", name="dimmer"), home).refusal == "unsupported"
    assert [e.name for e in resolve(wish("brightness", "up"), home, "hall").targets] == ["colour"]


@given(
    st.sampled_from(["up", "down"]), st.integers(1, 100), st.integers(0, 100), st.integers(1, 255)
)
def test_whatever_it_is_led_to_is_a_command_and_the_way_that_was_asked_for(
    direction: str, amount: int, level: int, scale: int
) -> None:
    lamp = in_state("light", EntityState("on" if level else "off", brightness=level or None),
                    **{**DIMMED, "brightness_scale": scale})  # fmt: skip
    call = led(lamp, wish("brightness", direction, amount=amount))
    assert call is not None
    assert command(lamp, call).messages
    goal = int(call.args["brightness"])
    assert goal >= level if direction == "up" else goal <= max(1, level)
