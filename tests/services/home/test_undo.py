"""The way back from a command: planned from what was before, what came of it, and what is now."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.home.entities import Entity
from services.home.states import EntityState
from services.home.undo import KEPT, WITHIN_S, Done, History, Plan, plan
from services.language.calls import Call
from tests.services.home.guarded import thing
from tests.services.home.things import JSON_COLOR, light, registry

(LAMP,) = registry(light("lamp", **JSON_COLOR)).snapshot()


def with_state(entity: Entity, value: str | None, **more: object) -> Entity:
    return replace(entity, state=EntityState(value, **more))  # type: ignore[arg-type]


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
    ],
    ids=["never heard before", "a colour without a name", "a button"],
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
