"""What counts as good, by numbers and turns alone."""

from __future__ import annotations

import numpy as np
import pytest

from ota.errors import Reason
from ota.release import Gate
from services.language.calls import Call
from services.voice.timeline import TimelineEvent
from services.voice.trial.judgement import of_memory, of_times, of_turns, of_words, p95
from services.voice.turn_log import Turn

LIGHT_ON = Call.of("HassTurnOn", name="bed light")
GATE = Gate(call='HassTurnOn {"name": "bed light"}')
SOUND = (0.3 * np.sin(np.arange(16_000) / 9)).astype(np.float32)


def turn(call: Call | None = LIGHT_ON, reply: np.ndarray = SOUND, ended: str = "done") -> Turn:
    events = [TimelineEvent("turn_end", 1, 0, 0, {"reason": ended})]
    if call is not None:
        events.append(TimelineEvent("call", 1, 0, 0, {"call": call}))
    return Turn(1, events, reply)


def test_the_right_call_and_a_reply_are_good() -> None:
    assert of_turns(GATE, [turn()]).reason is None
    assert of_turns(Gate(), [turn(call=None)]).reason is None


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([], Reason.GATE_WAKE),
        ([turn(call=Call.of("HassTurnOff", name="bed light"))], Reason.GATE_CALL),
        ([turn(call=None)], Reason.GATE_CALL),
        ([turn(ended="fault: ValueError")], Reason.GATE_CALL),
        ([turn(reply=SOUND[:0])], Reason.GATE_REPLY),
        ([turn(reply=SOUND * 0.01)], Reason.GATE_REPLY),
    ],
)
def test_what_is_wrong_has_its_own_reason(turns: list[Turn], reason: Reason) -> None:
    assert of_turns(GATE, turns).reason is reason


def test_a_reply_that_goes_on_and_on_is_none() -> None:
    """What a language model with shuffled weights says: twelve seconds for five words."""
    long = turn(reply=np.tile(SOUND, 12))
    long.events.append(TimelineEvent("reply_text", 1, 0, 0, {"text": "the bed light is on"}))
    assert of_turns(GATE, [long]).reason is Reason.GATE_REPLY


def test_a_click_is_no_reply() -> None:
    click = np.zeros(16_000, np.float32)
    click[100:120] = 0.05
    assert of_turns(GATE, [turn(reply=click)]).reason is Reason.GATE_REPLY


def test_words_that_the_recogniser_makes_up_count() -> None:
    assert of_words(Gate(), errors=3, words=5).reason is None
    assert of_words(Gate(), errors=4, words=5).reason is Reason.GATE_REPLY
    assert of_words(Gate(), errors=40, words=5).reason is Reason.GATE_REPLY
    assert of_words(Gate(), errors=0, words=0).reason is None


def test_a_release_says_how_well_it_has_to_be_understood() -> None:
    assert of_words(Gate(max_wer=0.2), errors=1, words=5).reason is None
    assert of_words(Gate(max_wer=0.2), errors=2, words=5).reason is Reason.GATE_REPLY


@pytest.mark.parametrize(
    ("new", "old", "bad"),
    [
        ([120.0], [100.0], False),
        ([121.0], [100.0], True),
        ([500.0], [], False),
        ([], [100.0], False),
        ([100.0, 100.0, 100.0, 900.0], [100.0] * 4, True),
    ],
)
def test_slower_is_a_multiple_of_the_one_before(
    new: list[float], old: list[float], bad: bool
) -> None:
    verdict = of_times(Gate(slower=1.2), new, old)
    assert (verdict.reason is Reason.GATE_LATENCY) is bad


def test_more_memory_than_stated_is_too_much() -> None:
    assert of_memory(512, 512).reason is None
    assert of_memory(513, 512).reason is Reason.GATE_MEMORY


def test_a_percentile_of_nothing_is_nothing() -> None:
    assert p95([]) is None
    assert p95([7.0]) == 7.0
