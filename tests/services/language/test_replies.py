"""Replies say what happened, in words a voice can speak."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.language.calls import Call
from services.language.homeview import EntityView, HomeView
from services.language.outcome import DeviceResult, Outcome
from services.language.outcome_sample import corpus
from services.language.replies import NOT_UNDERSTOOD, duration_words, replies, time_words

HOME = HomeView(
    entities=(
        EntityView("light.bed", "bed light", "light", "bedroom", (), frozenset({"brightness"})),
        EntityView("light.a", "kitchen lights", "light", "kitchen"),
        EntityView("light.b", "sink light", "light", "kitchen", (), frozenset({"color"})),
        EntityView("light.c", "oven light", "light", "kitchen"),
        EntityView("light.d", "table lamp", "light", "kitchen"),
        EntityView("lock.front", "front door", "lock"),
        EntityView("sensor.hum", "outdoor humidity", "sensor"),
    ),
    areas=("bedroom", "kitchen"),
)
ON = Call.of("HassTurnOn", name="bed light")
ALL_ON = Call.of("HassTurnOn", area="kitchen", domain="light")


def fate(name: str, status: str, state: str | None = None) -> DeviceResult:
    return DeviceResult(f"light.{name}", name, status, state)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome(ON, (fate("bed light", "confirmed"),)), "the bed light is on"),
        (Outcome(ON, (fate("bed light", "timeout"),)), "the bed light did not answer"),
        (Outcome(ON, (fate("kitchen lights", "unavailable"),)),
         "the kitchen lights are not available"),
        (Outcome(ON, (fate("bed light", "rejected"),)), "the bed light refused"),
        (Outcome(ON, error="no_device"), "i can't find that"),
        (Outcome(ON), "i can't find that"),
        (Outcome(Call.of("HassTurnOn", area="everywhere"), error="no_device_in_area"),
         "i can't find that in the house"),
        (Outcome(Call.of("HassTurnOn", area="Küche"), error="no_device_in_area"),
         "i can't find that in the kuche"),
        (Outcome(Call.of("HassTurnOn", area="everywhere", domain="light"),
                 (fate("a", "confirmed"), fate("b", "confirmed"))), "all lights are on"),
        (Outcome(Call.of("HassTurnOn", area="Büro 2", domain="light"),
                 (fate("a", "confirmed"), fate("b", "confirmed"))), "the buro two lights are on"),
        (Outcome(ALL_ON, (fate("a", "confirmed"), fate("b", "confirmed"))),
         "the kitchen lights are on"),
        (Outcome(ALL_ON, (fate("sink light", "confirmed"), fate("oven light", "timeout"))),
         "the sink light is on but the oven light did not answer"),
        (Outcome(ALL_ON, tuple(fate(n, s) for n, s in zip(
            "abcdef", ("confirmed",) * 3 + ("timeout", "timeout", "rejected"), strict=True))),
         "three of six lights are on but two did not answer and one refused"),
        (Outcome(ALL_ON, (fate("a", "timeout"), fate("b", "unavailable"))),
         "the a did not answer and the b is not available"),
        (Outcome(Call.of("HassTurnOff", domain="light"),
                 (fate("a", "confirmed"), fate("b", "confirmed"))), "all lights are off"),
        (Outcome(Call.of("HassTurnOn", name="front door"),
                 (DeviceResult("lock.front", "front door", "confirmed", "locked"),)),
         "the front door is locked"),
        (Outcome(Call.of("HassLightSet", name="bed light", brightness=50),
                 (fate("bed light", "confirmed", "on"),)), "the bed light is at fifty percent"),
        (Outcome(Call.of("HassLightSet", name="bed light", color="red"),
                 (fate("bed light", "confirmed"),)), "the bed light is red"),
        (Outcome(Call.of("HassGetState", name="outdoor humidity"),
                 (DeviceResult("sensor.h", "outdoor humidity", "confirmed", "55.5 %"),)),
         "the outdoor humidity is fifty five point five percent"),
        (Outcome(Call.of("HassGetState", name="outdoor temperature"),
                 (DeviceResult("sensor.t", "outdoor temperature", "confirmed", "-3 °C"),)),
         "the outdoor temperature is minus three degrees"),
        (Outcome(Call.of("HassGetState", name="bed light"), (fate("bed light", "confirmed"),)),
         "i don't know the state of the bed light"),
        (Outcome(Call.of("HassStartTimer", minutes=5), facts={"duration_s": 300}),
         "timer set for five minutes"),
        (Outcome(Call.of("HassTimerStatus"), facts={"remaining_s": 61}),
         "one minute and one second left"),
        (Outcome(Call.of("HassTimerStatus")), "there is no timer running"),
        (Outcome(Call.of("HassCancelTimer")), "timer cancelled"),
        (Outcome(Call.of("HassGetCurrentTime"), facts={"time": "14:05"}),
         "it is two oh five in the afternoon"),
        (Outcome(Call.of("HassGetCurrentTime"), facts={"time": "00:00"}),
         "it is twelve o'clock in the morning"),
        (Outcome(Call.of("HassGetCurrentDate"), facts={"date": "2026-03-21"}),
         "it is march twenty first"),
        (Outcome(Call.of("HassNevermind")), "okay"),
        (Outcome(ON, error="not_understood"), NOT_UNDERSTOOD[0]),
        (Outcome(Call.of("HassMakeCoffee")), "sorry i can't do that"),
    ],
)  # fmt: skip
def test_the_first_reply_tells_exactly_what_happened(outcome, said):
    assert replies(outcome)[0] == said


@given(st.integers(0, 2**32))
def test_every_reply_is_lower_case_words(seed):
    outcome = corpus(random.Random(seed), HOME)
    told = replies(outcome)
    assert 1 <= len(told) <= 3
    assert len(set(told)) == len(told)
    for text in told:
        assert re.fullmatch(r"[a-z']+( [a-z']+)*", text), text


@given(st.integers(0, 2**32))
def test_no_reply_claims_success_when_something_failed(seed):
    outcome = corpus(random.Random(seed), HOME)
    failed = [r for r in outcome.results if r.status != "confirmed"]
    for text in replies(outcome):
        excused = any(w in text for w in ("did not answer", "not available", "refused"))
        assert excused == bool(failed), text
        assert len(outcome.results) > 3 or all(r.name in text for r in failed)


@given(st.integers(0, 86399))
def test_durations_say_each_part_once(seconds):
    words = duration_words(seconds).split()
    assert sum(w.rstrip("s") in ("hour", "minute", "second") for w in words) == (
        sum(bool(n) for n in (seconds // 3600, seconds // 60 % 60, seconds % 60))
    )


def test_a_time_that_is_no_time_is_still_words():
    assert time_words("half past 2") == "half past two"
