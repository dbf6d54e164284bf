"""The one open question: only a yes, in time, by the one who was asked, about the same thing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from services.home.entities import Entity
from services.home.pending import ANSWER_S, Answer, Asked, Pending
from services.home.safety import Safety
from services.home.step import Step
from services.language.calls import Call
from tests.services.home.guarded import steps, thing

DOOR = thing("lock", "front door")
UNLOCK = Call.of("HassTurnOff", name="front door")


def asked(at_s: float = 0.0, session: str = "me") -> Pending:
    pending = Pending()
    pending.ask(Asked(UNLOCK, steps(UNLOCK, DOOR), session, at_s))
    return pending


def told(answer: Answer) -> str | None:
    return answer.refusal


@pytest.mark.parametrize("word", ["yes", "Yes!", "yeah", "confirm", "do it", "yes please"])
def test_a_yes_gives_out_what_was_asked_for(word: str) -> None:
    answer = asked().answer(word, "me", [DOOR], 3.0)
    assert answer.refusal is None
    assert answer.asked is not None
    assert answer.asked.steps == steps(UNLOCK, DOOR)


@pytest.mark.parametrize(
    "word", ["no", "", "okay", "yes but not the door", "yesterday", "yes yes yes", "turn it on"]
)
def test_everything_else_is_a_no(word: str) -> None:
    assert told(asked().answer(word, "me", [DOOR], 3.0)) == "left_alone"


def test_a_yes_counts_once() -> None:
    pending = asked()
    assert told(pending.answer("yes", "me", [DOOR], 1.0)) is None
    assert told(pending.answer("yes", "me", [DOOR], 2.0)) == "nothing_asked"


def test_a_no_cannot_be_taken_back() -> None:
    pending = asked()
    pending.answer("no", "me", [DOOR], 1.0)
    assert told(pending.answer("yes", "me", [DOOR], 2.0)) == "nothing_asked"


def test_a_yes_of_somebody_else_opens_nothing_and_closes_the_question() -> None:
    pending = asked()
    assert told(pending.answer("yes", "another", [DOOR], 1.0)) == "nothing_asked"
    assert told(pending.answer("yes", "me", [DOOR], 2.0)) == "nothing_asked"


def test_ten_seconds_and_no_more() -> None:
    assert told(asked(100.0).answer("yes", "me", [DOOR], 100.0 + ANSWER_S)) is None
    assert told(asked(100.0).answer("yes", "me", [DOOR], 100.1 + ANSWER_S)) == "too_late"
    assert told(asked(100.0).answer("yes", "me", [DOOR], 99.0)) == "too_late", "a clock gone back"


@pytest.mark.parametrize(
    "now",
    [
        [],
        [replace(DOOR, name="back door")],
        [replace(DOOR, area="shed")],
        [replace(DOOR, found=replace(DOOR.found, key="another announcement"))],
    ],
    ids=["gone", "renamed", "moved", "announced anew"],
)
def test_a_thing_that_is_not_the_same_is_left(now: list[Entity]) -> None:
    assert told(asked().answer("yes", "me", now, 1.0)) == "home_changed"


def test_a_thing_that_was_away_for_a_moment_is_left_though_it_is_back() -> None:
    pending = asked()
    pending.look([], 1.0)
    assert told(pending.answer("yes", "me", [DOOR], 2.0)) == "home_changed"


def test_another_state_of_the_thing_is_no_change_of_it() -> None:
    now = replace(DOOR, heard_at_s=2.0)
    answer = asked().answer("yes", "me", [now], 3.0)
    assert answer.asked is not None
    assert answer.asked.steps == (Step(now, UNLOCK),)


WORDS = st.sampled_from(["yes", "do it", "no", "turn off the lamp", ""])
SESSIONS = st.sampled_from(["me", "another"])
LAMP = thing("light", "lamp")
GATE = thing("cover", "gate", "gate")
CALLS = (
    (UNLOCK, (DOOR,)),
    (Call.of("HassTurnOff", area="hall"), (LAMP, DOOR)),
    (Call.of("HassTurnOn", name="gate"), (GATE,)),
    (Call.of("HassTurnOn", name="front door"), (DOOR,)),
    (Call.of("HassTurnOn", name="lamp"), (LAMP,)),
)
RISKY = {("HassTurnOff", DOOR.entity_id), ("HassTurnOn", GATE.entity_id)}


class AnyOrderOfEvents(RuleBasedStateMachine):
    """Whatever happens in whatever order, nothing risky is let through but by ask and yes."""

    @initialize()
    def begin(self) -> None:
        self.safety = Safety()
        self.now_s = 0.0
        self.home = [DOOR, LAMP, GATE]
        self.question: tuple[str, float, Call] | None = None

    @rule(which=st.sampled_from(CALLS), session=st.none() | SESSIONS)
    def command(self, which: tuple[Call, tuple[Entity, ...]], session: str | None) -> None:
        call, meant = which
        ids = {entity.entity_id for entity in meant}
        targets = [entity for entity in self.home if entity.entity_id in ids]
        verdict = self.safety.weigh(call, steps(call, *targets), session, self.now_s)
        assert not {(s.call.name, s.entity.entity_id) for s in verdict.allowed} & RISKY
        opened = "answer_s" in verdict.facts
        assert opened == (verdict.error == "needs_confirmation" and session is not None)
        self.question = (session or "", self.now_s, call) if opened else None

    @rule(said=WORDS, session=SESSIONS)
    def answer(self, said: str, session: str) -> None:
        verdict = self.safety.confirm(said, session, self.home, self.now_s)
        question, self.question = self.question, None
        if verdict.allowed:
            assert question is not None
            assert (question[0], said in ("yes", "do it")) == (session, True)
            assert self.now_s - question[1] <= ANSWER_S
            assert {s.call for s in verdict.allowed} == {question[2]}
            assert {(s.call.name, s.entity.entity_id) for s in verdict.allowed} <= RISKY
        elif question is not None and question[0] == session and said in ("yes", "do it"):
            assert verdict.error in ("too_late", "home_changed", "too_fast")

    @rule(seconds=st.floats(0, 8))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        self.safety.look(self.home, self.now_s)

    @rule()
    def wake(self) -> None:
        self.safety.withdraw()
        self.question = None

    @rule(index=st.integers(0, 2), name=st.sampled_from(["front door", "shed door"]))
    def rename(self, index: int, name: str) -> None:
        before = self.home[index]
        self.home[index] = replace(before, name=name)
        self.safety.look(self.home, self.now_s)
        if self.question is not None and name != before.name:
            verdict = self.safety.confirm("yes", self.question[0], self.home, self.now_s)
            assert all(step.entity.entity_id != before.entity_id for step in verdict.allowed)
            self.question = None


TestAnyOrderOfEvents = AnyOrderOfEvents.TestCase
TestAnyOrderOfEvents.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
