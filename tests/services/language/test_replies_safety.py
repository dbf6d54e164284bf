"""What is said about commands that were held back: true, and asked only where one can answer."""

from __future__ import annotations

import re

import pytest

from services.language.calls import Call
from services.language.outcome import DeviceResult, Outcome
from services.language.replies import replies
from services.language.yes_no import NO, YES, says_no, says_yes

OFF = Call.of("HassTurnOff", area="hall")
UNDO = Call.of("LinnetUndo")


def result(name: str, status: str = "confirmed", domain: str = "light") -> DeviceResult:
    return DeviceResult(f"{domain}.{name.replace(' ', '_')}", name, status)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome(OFF, (), {"unlock": "front door", "answer_s": 10}, "needs_confirmation"),
         "should i unlock the front door"),
        (Outcome(OFF, (), {"unlock": "front door"}, "needs_confirmation"),
         "i can't unlock the front door without a yes"),
        (Outcome(OFF, (), {"open": "gate,garage door", "unlock": "front door", "answer_s": 10},
                 "needs_confirmation"),
         "should i unlock the front door and open the gate and the garage door"),
        (Outcome(OFF, (result("hall lamp"),), {"unlock": "front door", "answer_s": 10},
                 "needs_confirmation"),
         "the hall lamp is off and should i unlock the front door"),
        (Outcome(OFF, (), {"disarm": "house alarm"}, "not_by_voice"),
         "i never disarm the house alarm by voice"),
        (Outcome(OFF, (), {"too_fast": "hall lamp"}, "too_fast"),
         "the hall lamp had too many commands just now"),
        (Outcome(OFF, (result("desk lamp"),), {"too_fast": "hall lamp"}, "too_fast"),
         "the desk lamp is off and the hall lamp had too many commands just now"),
        (Outcome(OFF, error="left_alone"), "okay left as it is"),
        (Outcome(OFF, error="too_late"), "that was too late so i left it as it is"),
        (Outcome(OFF, error="home_changed"), "that has changed meanwhile so i left it as it is"),
        (Outcome(OFF, error="nothing_asked"), "there is nothing to confirm"),
        (Outcome(OFF, error="needs_confirmation"), "sorry i can't do that"),
        (Outcome(Call.of("HassTurnOff", name="front door"), (result("front door", domain="lock"),)),
         "the front door is unlocked"),
        (Outcome(UNDO, (result("lamp"), result("fan", domain="fan"))), "okay undone"),
        (Outcome(UNDO, (result("lamp"), result("fan", "timeout", "fan"))),
         "the lamp is as before but the fan did not answer"),
        (Outcome(UNDO, (result("lamp"),), {"left": "bell"}),
         "okay undone and i can't undo the bell"),
        (Outcome(UNDO, (), {"left": "bell"}), "i can't undo the bell"),
        (Outcome(UNDO, error="nothing_to_undo"), "there is nothing to undo"),
        (Outcome(UNDO, (), {"unlock": "front door", "answer_s": 10}, "needs_confirmation"),
         "should i unlock the front door"),
        (Outcome(UNDO, error="offline"), "i can't reach the home right now"),
    ],
)  # fmt: skip
def test_the_first_reply_tells_exactly_what_happened(outcome: Outcome, said: str) -> None:
    assert replies(outcome)[0] == said
    for text in replies(outcome):
        assert re.fullmatch(r"[a-z']+( [a-z']+)*", text), text


def test_those_away_are_named_among_many() -> None:
    fates = {"a": "confirmed", "b": "confirmed", "c": "timeout", "d": "unavailable"}
    outcome = Outcome(OFF, tuple(result(name, fate) for name, fate in fates.items()))
    assert replies(outcome)[0] == (
        "two of four lights are off but one did not answer and the d is not available"
    )


def test_so_many_away_are_counted() -> None:
    outcome = Outcome(OFF, tuple(result(name, "unavailable") for name in "abcde"))
    assert replies(outcome)[0] == "five are not available"


def test_things_that_came_to_different_states_are_told_apart() -> None:
    outcome = Outcome(OFF, (result("hall lamp"), result("front door", domain="lock")))
    assert replies(outcome) == ("the hall lamp is off and the front door is unlocked",)


def test_a_yes_is_one_of_few_words_and_no_word_is_both() -> None:
    assert all(says_yes(word) and not says_no(word) for word in YES)
    assert all(says_no(word) and not says_yes(word) for word in NO)
    assert says_yes(" Yes! ")
    assert not says_yes("yes no")
