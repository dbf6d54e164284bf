"""Who is meant by a call, and why nobody is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.home.commands import NotCommandable, command
from services.home.entities import Entity
from services.home.resolver import HOME_ASSISTANT_KEYS, Resolution, resolve
from services.language.calls import Call
from tests.services.home.things import JSON_COLOR, entity, light, registry

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


def test_no_command_is_known_for_what_a_lock_cannot_do() -> None:
    door = next(e for e in HOME if e.domain == "lock")
    with pytest.raises(NotCommandable):
        command(door, call("HassLightSet", brightness=1))


# --- kinds, rooms and floors; every device is able -----------------------------------------------


def thing(domain: str, name: str, area: str, **more: object) -> Entity:
    """A device of any kind: only its names and its place matter here."""
    kind = more.pop("device_class", None)
    made = entity("cover", name=name, command_topic="c", device_class=kind)
    floor = {"office": "first floor", "bedroom": "first floor"}.get(area, "ground floor")
    found = replace(made.found, domain=domain)
    slug = f"{domain}.{name}_{area}".replace(" ", "_")
    return replace(made, found=found, entity_id=slug, area=area, floor=floor, **more)  # type: ignore[arg-type]


HOUSE = (
    thing("light", "ceiling light", "kitchen"),
    thing("light", "ceiling light", "office"),
    thing("light", "bed light", "bedroom", aliases=("the night lamps",)),
    thing("fan", "ceiling fan", "office"),
    thing("fan", "extractor", "kitchen"),
    thing("lock", "front door", "hall"),
    thing("binary_sensor", "front door", "hall", device_class="door"),
    thing("cover", "curtain", "office", device_class="curtain"),
    thing("cover", "garage door", "garage", device_class="garage"),
    thing("climate", "thermostat", "bedroom"),
    thing("sensor", "kitchen sensor", "kitchen", device_class="temperature"),
    thing("sensor", "kitchen damp", "kitchen", device_class="humidity"),
    thing("scene", "movie night", "office"),
    thing("scene", "party", "office"),
    thing("vacuum", "robby", "hall"),
    thing("alarm_control_panel", "home alarm", "hall"),
    thing("switch", "freezer", "kitchen"),
    thing("switch", "router", "office"),
)


def meant(asked: Call, here: str | None = None) -> Resolution:
    return resolve(asked, HOUSE, here, able=lambda e, c: True)


def ids(resolution: Resolution) -> list[str]:
    assert resolution.refusal is None
    return [e.entity_id for e in resolution.targets]


@pytest.mark.parametrize(
    ("asked", "here", "found"),
    [
        (call("HassTurnOn", name="bed light"), None, ["light.bed_light_bedroom"]),
        (call("HassTurnOn", name="Night Lamp"), None, ["light.bed_light_bedroom"]),
        (call("HassTurnOn", name="the bed lights"), None, ["light.bed_light_bedroom"]),
        (call("HassTurnOff", name="sensor", area="kitchen"), None, "unsupported"),
        (call("HassGetState", name="sensor", area="kitchen"), None,
         ["sensor.kitchen_sensor_kitchen"]),
        (call("HassTurnOn", name="ceiling light", floor="first floor"), None,
         ["light.ceiling_light_office"]),
        (call("HassTurnOn", domain="light", floor="first floor"), None,
         ["light.ceiling_light_office", "light.bed_light_bedroom"]),
        (call("HassTurnOff", domain="cover", device_class="curtain", area="office"), None,
         ["cover.curtain_office"]),
        (call("HassTurnOff", name="front door"), None, ["lock.front_door_hall"]),
        (call("HassTurnOn", name="front door"), None, ["lock.front_door_hall"]),
        (call("HassGetState", name="front door"), None, ["lock.front_door_hall"]),
        (call("HassGetState", name="front door", domain="binary_sensor"), None,
         ["binary_sensor.front_door_hall"]),
        (call("HassClimateGetTemperature", area="kitchen"), None,
         ["sensor.kitchen_sensor_kitchen"]),
        (call("HassClimateSetTemperature", temperature=21), "kitchen",
         ["climate.thermostat_bedroom"]),
        (call("HassVacuumStart"), "kitchen", ["vacuum.robby_hall"]),
        (call("LinnetArm", mode="night"), None, ["alarm_control_panel.home_alarm_hall"]),
        (call("HassTurnOff", area="kitchen"), None, ["light.ceiling_light_kitchen"]),
        (call("HassTurnOn", domain="lock"), None, ["lock.front_door_hall"]),
    ],
)  # fmt: skip
def test_names_rooms_floors_and_kinds_narrow(
    asked: Call, here: str | None, found: list[str] | str
) -> None:
    resolution = meant(asked, here)
    if isinstance(found, str):
        assert resolution.refusal == found
    else:
        assert ids(resolution) == found


@pytest.mark.parametrize(
    ("asked", "here", "found"),
    [
        (call("HassTurnOn", domain="light"), "office", ["light.ceiling_light_office"]),
        (call("HassTurnOn", domain="light"), None,
         ["light.ceiling_light_kitchen", "light.ceiling_light_office", "light.bed_light_bedroom"]),
        (call("HassTurnOn", domain="light", area="everywhere"), "office",
         ["light.ceiling_light_kitchen", "light.ceiling_light_office", "light.bed_light_bedroom"]),
        (call("HassTurnOff", domain="light"), "office",
         ["light.ceiling_light_kitchen", "light.ceiling_light_office", "light.bed_light_bedroom"]),
        (call("HassGetState", domain="fan", state="on"), "office",
         ["fan.ceiling_fan_office", "fan.extractor_kitchen"]),
        (call("HassFanSetSpeed", percentage=10), "kitchen", ["fan.extractor_kitchen"]),
        (call("HassLightSet", brightness=10), "office", ["light.ceiling_light_office"]),
    ],
)  # fmt: skip
def test_a_call_without_a_place_means_this_room_or_the_whole_home(
    asked: Call, here: str | None, found: list[str]
) -> None:
    assert ids(meant(asked, here)) == found


def test_the_call_that_was_understood_names_the_room_that_stood_in() -> None:
    assert meant(call("HassTurnOn", domain="light"), "Office").call == call(
        "HassTurnOn", domain="light", area="office"
    )


def test_the_same_name_twice_prefers_this_room_then_this_floor_then_asks() -> None:
    asked = call("HassTurnOn", name="ceiling light")
    assert ids(meant(asked, "office")) == ["light.ceiling_light_office"]
    assert ids(meant(asked, "bedroom")) == ["light.ceiling_light_office"]  # the same floor
    unsure = meant(asked)
    assert unsure.refusal == "ambiguous"
    assert [e.area for e in unsure.candidates] == ["kitchen", "office"]


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        (call("HassTurnOff", area="everywhere"), "too_broad"),
        (call("HassTurnOff", domain="switch"), "too_broad"),
        (call("HassTurnOff", area="everywhere", domain="switch"), "too_broad"),
        (call("HassTurnOn", domain="scene", area="office"), "ambiguous"),
        (call("HassLightSet", brightness=10), "ambiguous"),
        (call("HassTurnOn", area="attic"), "no_area"),
        (call("HassTurnOn", domain="light", floor="roof"), "no_floor"),
        (call("HassTurnOn", domain="fan", area="bedroom"), "no_device_in_area"),
        (call("HassTurnOn", name="bed light", area="office"), "no_device_in_area"),
        (call("HassTurnOn", name="bed light", floor="ground floor"), "no_device_on_floor"),
        (call("HassTurnOn", name="front door", domain="light"), "no_device"),
        (call("HassTurnOn", domain="valve"), "no_device"),
        (call("HassTurnOn", domain="sensor"), "unsupported"),
        (call("HassTurnOff", name="home alarm"), "unsupported"),
        (call("HassStartTimer", minutes=3), "unsupported"),
    ],
)
def test_every_reason_has_a_word(asked: Call, refusal: str) -> None:
    resolution = meant(asked)
    assert (resolution.refusal, resolution.targets) == (refusal, ())


def test_every_error_key_of_the_package_that_can_occur_here_has_a_word() -> None:
    from home_assistant_intents import ErrorKey

    elsewhere = ("exposed", "timer", "state", "intent", "handle", "duplicate_targets", "user")
    keys = {key.value for key in ErrorKey}
    assert {k for k in keys if not any(word in k for word in elsewhere)} <= set(HOME_ASSISTANT_KEYS)


WORDS = st.sampled_from(
    ["ceiling light", "front door", "kitchen", "office", "everywhere", "first floor", "light",
     "lock", "switch", "scene", "curtain", "", "x"]
)  # fmt: skip


@given(
    st.sampled_from(["HassTurnOn", "HassTurnOff", "HassGetState", "HassSetPosition"]),
    st.dictionaries(
        st.sampled_from(["name", "area", "floor", "domain", "device_class"]), WORDS, max_size=3
    ),
    st.sampled_from([None, "office", "kitchen", "moon"]),
)
def test_there_are_targets_or_a_reason_and_targets_are_where_it_was_said(
    name: str, place: dict[str, str | int], here: str | None
) -> None:
    more = {"position": 5} if name == "HassSetPosition" else {}
    resolution = meant(Call.of(name, **place, **more), here)
    assert bool(resolution.targets) == (resolution.refusal is None)
    assert bool(resolution.candidates) <= (resolution.refusal in ("ambiguous", "too_broad"))
    for target in resolution.targets:
        assert place.get("area", "everywhere") in ("everywhere", target.area)
        assert place.get("floor", target.floor) == target.floor
        assert place.get("domain", target.domain) == target.domain
    if name == "HassTurnOff" and not set(place) & {"name", "floor"} and "domain" not in place:
        assert {t.domain for t in resolution.targets} <= {"light", "cover", "binary_sensor"}
