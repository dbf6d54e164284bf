"""Timers as people use them, on clocks that are moved by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.home.functions import answer
from services.home.timers import MAX_DURATION_S, MAX_TIMERS, TimerRefused
from services.language.calls import Call
from services.language.outcome import Outcome
from tests.support.time_keeping import KeptTime


def test_a_timer_rings_once_when_its_time_has_come() -> None:
    box = KeptTime()
    started = box.ask("HassStartTimer", hours=1, minutes=1, seconds=5)
    assert (started.facts, started.error) == ({"duration_s": 3665}, None)
    box.wait(3664.9)
    assert box.rung == []
    box.wait(0.1)
    box.ask("LinnetStop")
    box.wait(100)
    assert [ring.duration_s for ring in box.rung] == [3665]


def test_status_tells_every_timer_and_cancel_takes_the_one_set_last() -> None:
    box = KeptTime()
    for seconds in (60, 20, 40):
        box.ask("HassStartTimer", seconds=seconds)
    box.wait(0.5)
    told = box.ask("HassTimerStatus").facts
    assert told["count"] == 3
    assert [told[f"remaining_s_{n}"] for n in (1, 2, 3)] == [20, 40, 60]
    assert box.hear("HassCancelTimer") == "the forty second timer is cancelled"
    assert [t.duration_s for t in box.desk.timers.running()] == [20, 60]


def test_one_timer_without_a_name_is_told_as_it_always_was() -> None:
    box = KeptTime()
    box.ask("HassStartTimer", minutes=5)
    box.wait(239.5)
    assert box.ask("HassTimerStatus").facts == {"remaining_s": 61}
    assert box.hear("HassTimerStatus") == "one minute and one second left"
    assert box.ask("HassCancelTimer") == Outcome(Call.of("HassCancelTimer"))


def test_timers_are_known_by_name_and_by_what_they_were_set_to() -> None:
    box = KeptTime()
    assert box.hear("HassStartTimer", minutes=10, name="pizza") == (
        "the pizza timer is set for ten minutes"
    )
    box.ask("HassStartTimer", minutes=5)
    box.ask("HassStartTimer", hours=1, minutes=30)
    assert box.hear("HassTimerStatus", name="Pizza ") == "the pizza timer has ten minutes left"
    assert box.hear("HassTimerStatus", start_minutes=5) == (
        "the five minute timer has five minutes left"
    )
    assert box.hear("HassCancelTimer", start_hours=1, start_minutes=30) == (
        "the one hour thirty minute timer is cancelled"
    )
    assert box.hear("HassCancelTimer", name="pizza") == "the pizza timer is cancelled"
    assert box.hear("HassCancelTimer", name="pizza") == "there is no timer running"
    assert [t.duration_s for t in box.desk.timers.running()] == [300]


def test_a_room_in_a_timers_name_is_its_name_and_no_room_is_guessed() -> None:
    box = KeptTime()
    box.ask("HassStartTimer", minutes=10, name="kitchen")
    assert box.hear("HassTimerStatus", area="kitchen") == "the kitchen timer has ten minutes left"
    assert box.ask("HassCancelTimer", area="bedroom").error == "unsupported"
    assert box.ask("HassCancelAllTimers", area="bedroom").error == "unsupported"
    assert box.ask("HassCancelTimer", area="kitchen").error is None


def test_a_paused_timer_waits_and_goes_on_where_it_was() -> None:
    box = KeptTime()
    box.ask("HassStartTimer", minutes=5)
    box.wait(60)
    assert box.hear("HassPauseTimer") == "the timer is paused with four minutes left"
    box.wait(3600)
    assert box.hear("HassTimerStatus") == "the timer is paused with four minutes left"
    assert box.hear("HassUnpauseTimer") == "the timer goes on with four minutes left"
    box.wait(239)
    assert box.rung == []
    box.wait(1)
    assert len(box.rung) == 1


def test_going_on_means_the_paused_one_and_pausing_the_running_one() -> None:
    box = KeptTime()
    box.ask("HassStartTimer", minutes=5)
    box.ask("HassStartTimer", minutes=8, name="tea")
    box.ask("HassPauseTimer", name="tea")
    assert box.hear("HassPauseTimer") == "the five minute timer is paused with five minutes left"
    assert box.ask("HassUnpauseTimer").error == "which_timer"
    box.ask("HassUnpauseTimer", start_minutes=5)
    assert box.hear("HassUnpauseTimer") == "the tea timer goes on with eight minutes left"


def test_a_timer_can_be_made_longer_and_shorter() -> None:
    box = KeptTime()
    box.ask("HassStartTimer", minutes=5)
    box.wait(60)
    assert box.hear("HassIncreaseTimer", minutes=2) == "the timer now has six minutes left"
    assert box.hear("HassDecreaseTimer", minutes=1, seconds=30) == (
        "the timer now has four minutes and thirty seconds left"
    )
    assert box.hear("HassDecreaseTimer", hours=1) == "the timer is over now"
    box.wait(0.1)
    assert len(box.rung) == 1


def test_a_paused_timer_can_be_made_longer_and_stays_paused() -> None:
    box = KeptTime()
    box.ask("HassStartTimer", minutes=5)
    box.ask("HassPauseTimer")
    box.ask("HassIncreaseTimer", minutes=5)
    box.wait(3600)
    assert box.ask("HassTimerStatus").facts == {"remaining_s": 600, "paused": 1}


def test_where_several_could_be_meant_one_short_question_is_asked() -> None:
    box = KeptTime()
    box.ask("HassStartTimer", minutes=10, name="pizza")
    box.ask("HassStartTimer", minutes=5)
    for function in ("HassPauseTimer", "HassIncreaseTimer"):
        more = {"minutes": 1} if function == "HassIncreaseTimer" else {}
        assert box.ask(function, **more).error == "which_timer"
        assert box.hear(function, **more) == (
            "which timer the five minute timer or the pizza timer"
        )
    box.ask("HassStartTimer", minutes=5)
    assert box.hear("HassCancelTimer", start_minutes=5) == "which one you have two like that"
    assert len(box.desk.timers.running()) == 3, "a question changes nothing"


def test_all_are_cancelled_at_once() -> None:
    box = KeptTime()
    assert box.hear("HassCancelAllTimers") == "there is no timer running"
    for minutes in (1, 2, 3):
        box.ask("HassStartTimer", minutes=minutes)
    box.ask("HassPauseTimer", start_minutes=2)
    assert box.hear("HassCancelAllTimers") == "all three timers are cancelled"
    box.wait(3600)
    assert box.begun == []


@pytest.mark.parametrize(
    "name", ["HassCancelTimer", "HassTimerStatus", "HassPauseTimer", "HassUnpauseTimer"]
)
def test_without_a_timer(name: str) -> None:
    assert KeptTime().ask(name) == Outcome(Call.of(name), error="no_timer")


@pytest.mark.parametrize(
    "arguments",
    [{}, {"seconds": 0}, {"hours": 25}, {"minutes": -1}, {"minutes": "five"}, {"days": 1},
     {"seconds": 10**30}, {"minutes": 5, "name": ""}, {"minutes": 5, "name": "x" * 101},
     {"minutes": 5, "name": "a\x00b"}, {"minutes": 5, "name": "\ud800"},
     {"minutes": 5, "conversation_command": "open the garage"}],
)  # fmt: skip
def test_timers_that_cannot_be(arguments: dict[str, str | int]) -> None:
    box = KeptTime()
    assert box.ask("HassStartTimer", **arguments).error == "unsupported"
    assert box.desk.timers.running() == ()


def test_a_timer_grows_to_a_day_and_no_further() -> None:
    box = KeptTime()
    box.ask("HassStartTimer", hours=23)
    assert box.ask("HassIncreaseTimer", hours=2).error == "unsupported"
    assert box.ask("HassTimerStatus").facts == {"remaining_s": 23 * 3600}
    assert box.ask("HassIncreaseTimer", minutes=0).error == "unsupported"


def test_only_so_many_timers() -> None:
    box = KeptTime()
    for _ in range(MAX_TIMERS):
        box.desk.timers.start(5)
    with pytest.raises(TimerRefused):
        box.desk.timers.start(5)
    assert box.ask("HassStartTimer", seconds=5).error == "unsupported"


def test_calls_for_devices_are_left_to_the_devices() -> None:
    desk = KeptTime().desk
    assert answer(Call.of("HassTurnOn", name="lamp"), desk) is None
    assert answer(Call.of("HassSetVolume", name="radio", volume_level=5), desk) is None


@given(st.integers(1, MAX_DURATION_S), st.floats(0, MAX_DURATION_S))
def test_remaining_is_whole_seconds_rounded_up(duration_s: int, passed_s: float) -> None:
    box = KeptTime()
    timer = box.desk.timers.start(duration_s)
    box.clock_s += passed_s
    left = box.desk.timers.remaining_s(timer)
    assert left >= 0
    assert left - 1 <= max(0.0, timer.left_s(box.clock_s)) <= left
