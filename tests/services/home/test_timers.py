from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.home.functions import answer
from services.home.timers import MAX_TIMERS, Timer, TimerRefused, Timers
from services.language.calls import Call
from services.language.outcome import Outcome


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Kitchen:
    """Timers, a clock that we move, and what has rung."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.rung: list[Timer] = []
        self.timers = Timers(self.clock, self.rung.append)

    def ask(self, function: str, /, **arguments: str | int) -> Outcome | None:
        call = Call.of(function, **arguments)
        return answer(call, self.timers, lambda: datetime(2026, 3, 9, 7, 5))

    def wait(self, seconds: float) -> None:
        self.clock.now_s += seconds
        self.timers.tick()


def test_a_timer_rings_once_when_its_time_has_come() -> None:
    kitchen = Kitchen()
    started = kitchen.ask("HassStartTimer", hours=1, minutes=1, seconds=5)
    assert started is not None
    assert (started.facts, started.error) == ({"duration_s": 3665}, None)
    kitchen.wait(3664.9)
    assert kitchen.rung == []
    kitchen.wait(0.1)
    kitchen.wait(100)
    assert [t.duration_s for t in kitchen.rung] == [3665]


def test_status_tells_of_the_next_to_ring_and_cancel_takes_the_latest_set() -> None:
    kitchen = Kitchen()
    for seconds in (60, 20, 40):
        kitchen.ask("HassStartTimer", seconds=seconds)
    kitchen.wait(0.5)
    call = Call.of("HassTimerStatus")
    assert kitchen.ask("HassTimerStatus") == Outcome(call, facts={"remaining_s": 20})
    assert kitchen.ask("HassCancelTimer") == Outcome(Call.of("HassCancelTimer"))
    assert [t.duration_s for t in kitchen.timers.running()] == [20, 60]


@pytest.mark.parametrize("name", ["HassCancelTimer", "HassTimerStatus"])
def test_without_a_timer(name: str) -> None:
    assert Kitchen().ask(name) == Outcome(Call.of(name), error="no_timer")


@pytest.mark.parametrize(
    "arguments",
    [{}, {"seconds": 0}, {"hours": 25}, {"minutes": -1}, {"minutes": "five"}, {"days": 1},
     {"seconds": 10**30}],
)  # fmt: skip
def test_durations_that_cannot_be(arguments: dict[str, str | int]) -> None:
    kitchen = Kitchen()
    outcome = kitchen.ask("HassStartTimer", **arguments)
    assert outcome is not None
    assert outcome.error == "unsupported"
    assert kitchen.timers.running() == ()


def test_time_date_and_never_mind() -> None:
    kitchen = Kitchen()
    told = [kitchen.ask(n) for n in ("HassGetCurrentTime", "HassGetCurrentDate", "HassNevermind")]
    assert [o.facts for o in told if o] == [{"time": "07:05"}, {"date": "2026-03-09"}, {}]
    odd = kitchen.ask("HassGetCurrentTime", name="lamp")
    assert odd is not None
    assert odd.error == "unsupported"
    assert kitchen.ask("HassTurnOn", name="lamp") is None


def test_only_so_many_timers() -> None:
    kitchen = Kitchen()
    for _ in range(MAX_TIMERS):
        kitchen.timers.start(5)
    with pytest.raises(TimerRefused):
        kitchen.timers.start(5)


class TimersKeepTime(RuleBasedStateMachine):
    """Every timer started rings once and in time, or was cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.kitchen = Kitchen()
        self.expected: dict[int, float] = {}
        self.rung_before = 0

    @rule(seconds=st.integers(1, 100))
    def start(self, seconds: int) -> None:
        if len(self.expected) < MAX_TIMERS:
            timer = self.kitchen.timers.start(seconds)
            self.expected[timer.number] = self.kitchen.clock.now_s + seconds

    @rule()
    def cancel(self) -> None:
        timer = self.kitchen.timers.cancel()
        assert (timer is None) == (not self.expected)
        if timer is not None:
            assert timer.number == max(self.expected)
            del self.expected[timer.number]

    @rule(seconds=st.floats(0, 60))
    def wait(self, seconds: float) -> None:
        self.kitchen.wait(seconds)
        fresh = self.kitchen.rung[self.rung_before :]
        self.rung_before = len(self.kitchen.rung)
        now_s = self.kitchen.clock.now_s
        due = {n for n, ends_at_s in self.expected.items() if ends_at_s <= now_s}
        assert {t.number for t in fresh} == due
        assert [t.ends_at_s for t in fresh] == sorted(t.ends_at_s for t in fresh)
        for number in due:
            del self.expected[number]

    @invariant()
    def running_are_the_expected(self) -> None:
        assert {t.number for t in self.kitchen.timers.running()} == set(self.expected)


TestTimersKeepTime = TimersKeepTime.TestCase
TestTimersKeepTime.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


@given(st.integers(1, 86_400), st.floats(0, 86_400))
def test_remaining_is_whole_seconds_rounded_up(duration_s: int, passed_s: float) -> None:
    kitchen = Kitchen()
    timer = kitchen.timers.start(duration_s)
    kitchen.clock.now_s += passed_s
    left = kitchen.timers.remaining_s(timer)
    assert left >= 0
    assert left - 1 <= max(0.0, timer.ends_at_s - kitchen.clock.now_s) <= left
