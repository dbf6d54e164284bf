"""One short question, and what its answer makes of the call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.home.question import question
from services.home.resolver import resolve
from services.language.calls import Call
from tests.services.home.things import light, registry

HOME = registry(
    light("Reading Light", "Office"),
    light("Reading Light", "Bedroom"),
    light("Left Spot", "Kitchen"),
    light("Right Spot", "Kitchen"),
    ("switch/left", {"name": "Left Spot", "command_topic": "s",
                     "device": {"suggested_area": "Kitchen"}}),
).snapshot()  # fmt: skip
READING = Call.of("HassTurnOn", name="reading light")


def test_rooms_tell_devices_of_one_name_apart() -> None:
    asked = question(resolve(READING, HOME))
    assert asked is not None
    assert asked.text == "the one in the bedroom or the one in the office"


@pytest.mark.parametrize(
    ("answer", "area"),
    [("the one in the bedroom", "bedroom"), ("Office, please!", "office"), ("second", "office"),
     ("the bedroom one", "bedroom"), ("the first one", "bedroom")],
)  # fmt: skip
def test_an_answer_narrows_the_call_to_one_device(answer: str, area: str) -> None:
    asked = question(resolve(READING, HOME))
    assert asked is not None
    narrowed = asked.answered(answer)
    assert narrowed is not None
    (target,) = resolve(narrowed, HOME).targets
    assert (target.name, target.area) == ("reading light", area)


@given(st.sampled_from(["yes", "both", "", "the kitchen", "turn off the heater", "one"]))
def test_other_words_are_no_answer(answer: str) -> None:
    asked = question(resolve(READING, HOME))
    assert asked is not None
    assert asked.answered(answer) is None


def test_kinds_tell_devices_of_one_name_and_room_apart() -> None:
    asked = question(resolve(Call.of("HassTurnOn", name="left spot"), HOME))
    assert asked is not None
    assert asked.text == "the light or the switch"
    narrowed = asked.answered("the switch")
    assert narrowed is not None
    assert [t.domain for t in resolve(narrowed, HOME).targets] == ["switch"]


def test_nothing_is_asked_where_nothing_is_ambiguous() -> None:
    assert question(resolve(Call.of("HassTurnOn", name="right spot"), HOME)) is None
    assert question(resolve(Call.of("HassTurnOn", name="moon"), HOME)) is None
