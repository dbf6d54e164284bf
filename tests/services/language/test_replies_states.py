"""Questions about several devices are answered for all of them, and only by what is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.language.calls import Call
from services.language.outcome import DeviceResult, Outcome
from services.language.replies import replies

NAMES = ("bed light", "desk lamp", "porch light", "attic lamp", "pendant")


def lights(*states: str | None) -> tuple[DeviceResult, ...]:
    """None: away; empty: there, and has told nothing."""
    return tuple(
        DeviceResult(f"light.{n}", NAMES[n], "unavailable" if state is None else "confirmed", state)
        for n, state in enumerate(states)
    )


def asked(results: tuple[DeviceResult, ...], **more: str) -> str:
    return replies(Outcome(Call.of("HassGetState", domain="light", **more), results))[0]


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (("off", "off", "off"), "no lights are on"),
        (("on", "on"), "both lights are on"),
        (("on", "on at 9 percent", "on"), "all three lights are on"),
        (("off", "on at 60 percent"), "the desk lamp is on"),
        (("on", "off", "on"), "the bed light and the porch light are on"),
        (("on", "on", "on", "on", "off"), "four of five lights are on"),
        (("off", None), "no lights are on and i don't know about the desk lamp"),
        (("on", ""), "the bed light is on and i don't know about the desk lamp"),
        ((None, None), "i don't know about the bed light and the desk lamp"),
        ((None,) * 5, "i don't know about five lights"),
    ],
)
def test_how_many_are_as_was_asked(states: tuple[str | None, ...], said: str) -> None:
    assert asked(lights(*states), state="on") == said


def test_the_place_that_was_asked_about_is_told() -> None:
    dark = lights("off", "off")
    assert asked(dark, state="on", area="kitchen") == "no lights in the kitchen are on"
    assert asked(dark, state="off", floor="top floor") == ("both lights on the top floor are off")
    assert asked(dark, state="on", area="2nd Küche") == "no lights in the two nd kuche are on"
    assert asked(dark, state="on", area="厨房") == "no lights are on"
    windows = tuple(DeviceResult(f"cover.{n}", n, "confirmed", "closed") for n in ("a", "b"))
    outcome = Outcome(Call.of("HassGetState", device_class="window", state="open"), windows)
    assert replies(outcome)[0] == "no windows are open"


def test_where_no_state_was_asked_about_each_is_told() -> None:
    assert asked(lights("on", "off", "on", None)) == (
        "the bed light and the porch light are on and the desk lamp is off "
        "and i don't know about the attic lamp"
    )


@given(st.lists(st.sampled_from(["on", "off", "", None]), min_size=2, max_size=5))
def test_nothing_is_said_of_all_unless_all_have_said_it(states: list[str | None]) -> None:
    said = asked(lights(*states), state="on")
    assert ("all " in said or "both " in said) == all(state == "on" for state in states)
    assert ("i don't know" in said) == any(not state for state in states)
    assert ("no lights" in said) == ("on" not in states and "off" in states)


def test_one_thing_with_a_name_of_several_are() -> None:
    strings = (DeviceResult("light.a", "fairy lights", "confirmed", "on"), *lights("off"))
    assert asked(strings, state="on") == "the fairy lights are on"
