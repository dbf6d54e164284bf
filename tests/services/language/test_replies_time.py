"""Replies about time are words a voice can speak, whatever the facts."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.home.functions import FUNCTIONS
from services.home.ringing import Ring, outcome
from services.language.calls import Call
from services.language.outcome import Outcome
from services.language.replies import NOT_UNDERSTOOD, replies
from services.language.replies_timers import timer_label
from services.language.spoken import spoken
from services.language.spoken_quantity import quantity_words, whole_words
from tests.support.time_keeping import KeptTime

SPEAKABLE = re.compile(r"[a-z']+( [a-z']+)*")
UNTOLD = frozenset({"none", "nan"})
"""How a fact that is missing would sound; so nothing here is called that."""
_TEXTS = st.text(min_size=1, max_size=20).filter(lambda text: not UNTOLD & {*spoken(text).split()})
_NAMES = st.one_of(st.none(), _TEXTS, st.just("the pizza timer"))
_AMOUNTS = st.integers(0, 100)
_DAYS = st.sampled_from(["mon,tue", "daily", "weekdays", "weekends", "tomorrow", "today", "fri"])


def speakable(told: Outcome) -> None:
    said = replies(told)
    assert 1 <= len(said) <= 3
    assert len(set(said)) == len(said)
    for text in said:
        assert SPEAKABLE.fullmatch(text), text
        assert not set(text.split()) & UNTOLD


@given(st.lists(st.tuples(_NAMES, _AMOUNTS), max_size=5), _NAMES, _AMOUNTS)
def test_whatever_timers_there_are_every_call_is_answered_in_words(
    timers: list[tuple[str | None, int]], asked: str | None, amount: int
) -> None:
    box = KeptTime()
    for name, minutes in timers:
        named = {} if name is None else {"name": name}
        speakable(box.ask("HassStartTimer", minutes=minutes, **named))
    which = {} if asked is None else {"name": asked}
    for function in ("HassTimerStatus", "HassPauseTimer", "HassTimerStatus", "HassUnpauseTimer"):
        speakable(box.ask(function, **which))
    for function in ("HassIncreaseTimer", "HassDecreaseTimer"):
        speakable(box.ask(function, seconds=amount, **which))
    for function in ("HassCancelTimer", "HassCancelAllTimers", "LinnetSnooze", "LinnetStop"):
        speakable(box.ask(function))


@given(st.lists(st.tuples(_NAMES, st.integers(0, 23), _DAYS), max_size=5), _NAMES)
def test_whatever_alarms_there_are_every_call_is_answered_in_words(
    alarms: list[tuple[str | None, int, str]], text: str | None
) -> None:
    box = KeptTime()
    for name, hour, days in alarms:
        named = {} if name is None else {"name": name}
        speakable(box.ask("LinnetSetAlarm", time=f"{hour}:30", days=days, **named))
        speakable(box.ask("LinnetReminder", time=f"{hour}:15", text=text or "x"))
    speakable(box.ask("LinnetAlarmStatus"))
    speakable(box.ask("LinnetCancelAlarm"))
    speakable(box.ask("LinnetCancelReminder"))
    box.wait(24 * 3600)
    for ring in box.begun:
        speakable(outcome(ring))


@pytest.mark.parametrize(("late", "missed"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize(
    "ring",
    [Ring("timer", 1, duration_s=300), Ring("timer", 1, "egg", duration_s=300),
     Ring("timer", 1, "披萨", duration_s=300), Ring("alarm", 1, time="07:00"),
     Ring("alarm", 1, "school", time="07:00"), Ring("reminder", 1, text="call anna", time="07:00"),
     Ring("reminder", 1, text="打电话", duration_s=60)],
)  # fmt: skip
def test_a_ring_is_told_truly(ring: Ring, late: bool, missed: bool) -> None:
    told = outcome(replace(ring, late=late, missed=missed))
    speakable(told)
    said = replies(told)[0]
    assert late == any(word in said for word in ("late", "off", "missed", "did not ring")), said


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_has_words_for_what_went_wrong(name: str) -> None:
    for error in ("unsupported", "no_timer", "which_timer", "which_alarm", "no_alarm"):
        speakable(Outcome(Call.of(name), error=error))


def test_what_is_said_elsewhere_stays_as_it_was() -> None:
    assert replies(Outcome(Call.of("HassTurnOn"), error="not_understood")) == NOT_UNDERSTOOD


def test_labels_do_not_stammer() -> None:
    assert timer_label({"name": "the pizza timer"}) == "the pizza timer"
    assert timer_label({"name": "my tea"}) == "the tea timer"
    assert timer_label({"duration_s": 5400}) == "the one hour thirty minute timer"
    assert timer_label({"name": "披萨"}) == "the timer"


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_whole_numbers_are_words(value: int) -> None:
    assert SPEAKABLE.fullmatch(whole_words(value))


@pytest.mark.parametrize(
    ("digits", "said"),
    [("0", "zero"), ("-2.75", "minus two point seven five"), ("0.05", "zero point zero five"),
     ("2000001", "two million one"), ("1000000000000", "one trillion")],
)  # fmt: skip
def test_quantities_are_said_digit_by_digit_behind_the_point(digits: str, said: str) -> None:
    assert quantity_words(digits) == said


def test_what_is_too_large_is_not_said() -> None:
    with pytest.raises(ValueError, match="sixteen"):
        whole_words(10**15)
