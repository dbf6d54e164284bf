"""Lines typed one after the other: calls, reasons, and one question with its answer."""

from __future__ import annotations

from services.home.entities import Registry
from services.home.resolver import current_resolution
from services.language.calls import Call
from services.language.fast_path import FastPath
from services.typed import Read, TypedLines
from tests.services.home.things import light, registry

HOME = registry(
    light("Reading Light", "Office"),
    light("Reading Light", "Bedroom"),
    light("Desk Lamp", "Office"),
)
PATH = FastPath()
BEDROOM = Call.of("HassTurnOn", name="reading light", area="bedroom", domain="light")


def typed(*said: str, home: Registry = HOME, here: str | None = None) -> list[Read]:
    lines = TypedLines(PATH)
    return [lines.read(text, home.view(here), home.snapshot()) for text in said]


def test_a_command_is_a_call() -> None:
    assert typed("turn on the desk lamp") == [Read(Call.of("HassTurnOn", name="desk lamp"))]


def test_what_means_two_devices_is_asked_and_the_answer_decides() -> None:
    asked, answered = typed("turn on the reading light", "the one in the bedroom")
    assert asked.error == "ambiguous"
    assert asked.question is not None
    assert asked.question.text == "the one in the bedroom or the one in the office"
    assert answered == Read(BEDROOM)


def test_the_room_we_are_in_needs_no_question() -> None:
    (read,) = typed("turn on the reading light", here="office")
    assert read == Read(Call.of("HassTurnOn", name="reading light"))


def test_another_command_closes_the_question() -> None:
    _, other, late = typed("turn on the reading light", "turn on the desk lamp", "the bedroom")
    assert other == Read(Call.of("HassTurnOn", name="desk lamp"))
    assert (late.call.name, late.error) == ("HassNevermind", "not_understood")


def test_a_question_stays_open_for_one_line_only() -> None:
    _, muttered, late = typed("turn on the reading light", "hm well", "the bedroom")
    assert (muttered.error, late.error) == ("not_understood", "not_understood")


def test_what_is_no_command_has_a_reason() -> None:
    told = [r.error for r in typed("turn on the disco ball", "hello there", "?", "a" * 999)]
    assert told == ["no_device", "not_understood", "not_understood", "not_understood"]


def test_the_devices_that_were_found_are_handed_on_as_they_are_by_then() -> None:
    home = registry(light("Desk Lamp", "Office"))
    (read,) = typed("turn on the desk lamp", home=home)
    assert read.resolution is not None
    assert [e.name for e in read.resolution.targets] == ["desk lamp"]
    home.hear("OfficeDeskLamp", b"ON", 1.0)
    now = current_resolution(read.resolution, home.snapshot())
    assert now is not None
    assert [e.state.value for e in now.targets] == ["on"]


def test_a_device_that_left_or_was_replaced_is_looked_for_again() -> None:
    (read,) = typed("turn on the desk lamp", home=registry(light("Desk Lamp", "Office")))
    assert read.resolution is not None
    for other in (registry(), registry(light("Desk Lamp", "Office", payload_on="1"))):
        assert current_resolution(read.resolution, other.snapshot()) is None
