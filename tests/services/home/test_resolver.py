from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.home.commands import NotCommandable, command
from services.home.resolver import resolve
from services.language.calls import Call
from tests.services.home.things import JSON_COLOR, light, registry

HOME = registry(
    light("Bed Light", "Bedroom", **JSON_COLOR),
    light("Desk Lamp", "Office", brightness_command_topic="b"),
    light("Spot", "Office"),
    light("Reading Light", "Office"),
    light("Reading Light", "Bedroom"),
    ("switch/tv", {"name": "TV", "command_topic": "tv", "device": {"suggested_area": "Den"}}),
    ("lock/door", {"name": "Front Door", "command_topic": "door", "state_topic": "door/s"}),
    ("cover/garage", {"name": "Garage Door", "state_topic": "garage"}),
    ("sensor/humidity", {"name": "Outdoor Humidity", "state_topic": "h"}),
).snapshot()


def call(function: str, /, **arguments: str | int) -> Call:
    return Call.of(function, **arguments)


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (call("HassTurnOn", name="bed light"), ["bed light"]),
        (call("HassTurnOn", name="tv"), ["tv"]),
        (call("HassTurnOn", name="front door"), ["front door"]),
        (call("HassTurnOff", area="office", domain="light"),
         ["desk lamp", "spot", "reading light"]),
        (call("HassTurnOff", area="office"), ["desk lamp", "spot", "reading light"]),
        (call("HassTurnOn", domain="lock"), ["front door"]),
        (call("HassTurnOn", domain="light"),
         ["bed light", "desk lamp", "spot", "reading light", "reading light"]),
        (call("HassLightSet", area="office", brightness=30), ["desk lamp"]),
        (call("HassLightSet", name="bed light", color="green"), ["bed light"]),
        (call("HassGetState", name="garage door"), ["garage door"]),
        (call("HassTurnOn", name="reading light", area="bedroom"), ["reading light"]),
    ],
)  # fmt: skip
def test_who_is_meant(asked: Call, names: list[str]) -> None:
    resolution = resolve(asked, HOME)
    assert resolution.refusal is None
    assert [e.name for e in resolution.targets] == names


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        (call("HassTurnOff", name="front door"), "needs_confirmation"),
        (call("HassTurnOn", name="garage door"), "unsupported"),
        (call("HassTurnOn", name="outdoor humidity"), "unsupported"),
        (call("HassTurnOn", name="moon"), "no_device"),
        (call("HassTurnOn", name="bed light", area="office"), "no_device_in_area"),
        (call("HassTurnOn", area="attic", domain="light"), "no_area"),
        (call("HassTurnOn", area="den", domain="light"), "no_device_in_area"),
        (call("HassTurnOn", name="reading light"), "ambiguous"),
        (call("HassLightSet", name="spot", brightness=3), "unsupported"),
        (call("HassLightSet", name="tv", brightness=3), "unsupported"),
        (call("HassLightSet", name="bed light", brightness=101), "unsupported"),
        (call("HassLightSet", name="bed light", brightness="50"), "unsupported"),
        (call("HassLightSet", name="bed light", color="loud"), "unsupported"),
        (call("HassLightSet", name="bed light"), "unsupported"),
        (call("HassTurnOn"), "unsupported"),
        (call("HassTurnOn", name=3), "unsupported"),
        (call("HassUnlock", name="front door"), "unsupported"),
        (call("HassGetState", area="office"), "unsupported"),
    ],
)
def test_why_nobody_is_meant(asked: Call, refusal: str) -> None:
    resolution = resolve(asked, HOME)
    assert resolution.refusal == refusal
    assert resolution.targets == ()


def test_equal_names_are_told_apart_by_the_room_we_stand_in() -> None:
    asked = call("HassTurnOn", name="reading light")
    (target,) = resolve(asked, HOME, here="bedroom").targets
    assert target.area == "bedroom"
    assert resolve(asked, HOME, here="den").refusal == "ambiguous"


ARGUMENTS = st.dictionaries(
    st.sampled_from(["name", "area", "domain", "brightness", "color", "floor"]),
    st.sampled_from(
        ["bed light", "front door", "garage door", "tv", "office", "light", "switch", "lock",
         "red", "", 0, 50, 101, -1, True]
    ),
    max_size=4,
)  # fmt: skip
NAMES = st.sampled_from(["HassTurnOn", "HassTurnOff", "HassLightSet", "HassGetState", "Other"])


@given(NAMES, ARGUMENTS)
def test_what_is_resolved_can_be_commanded_and_never_opens_anything(
    name: str, arguments: dict[str, str | int]
) -> None:
    asked = Call.of(name, **arguments)
    resolution = resolve(asked, HOME)
    assert bool(resolution.targets) == (resolution.refusal is None)
    if name == "HassGetState":
        return
    for target in resolution.targets:
        payloads = [payload for _, payload in command(target, asked).messages]
        assert target.domain in ("light", "switch", "lock")
        assert target.domain != "lock" or payloads == [b"LOCK"]


def test_no_command_is_known_for_what_the_resolver_refuses() -> None:
    door = next(e for e in HOME if e.domain == "lock")
    for asked in (call("HassTurnOff", name="front door"), call("HassLightSet", brightness=1)):
        with pytest.raises(NotCommandable):
            command(door, asked)
