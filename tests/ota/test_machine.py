"""The table of an update, alone: who may begin, what is counted, what is remembered."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ota.errors import Reason
from ota.machine import (
    IN_TRIAL,
    MOST_STORES,
    TABLE,
    TRIES,
    WORK,
    Ledger,
    Outcome,
    Result,
    Stage,
    about_to_load,
    begin,
    give_up,
    refusal,
    reject_running,
    sent,
    soaked,
    step,
)
from ota.phases import Phase
from ota.rollout.source import Assignment

DONE = Result(Outcome.DONE)
KNOWN = {"release": "1.2", "counter": 7, "generation": "000002-abc", "previous": "000001-abc"}


def wanted(release: str = "1.2", *, forced: bool = False, action: str = "") -> Assignment:
    target = f"models/pc/{release}/release.json"
    return Assignment(action or f"roll-out {release}", target, forced=forced)


def until(stage: Stage, ledger: Ledger | None = None) -> Ledger:
    """A ledger whose update has come to a stage without trouble."""
    ledger = begin(ledger or Ledger(), wanted())
    while ledger.update is not None and ledger.update.stage is not stage:
        ledger = step(ledger, Result(Outcome.DONE, learnt=KNOWN))
    return ledger


def stage_of(ledger: Ledger) -> Stage:
    assert ledger.update is not None
    return ledger.update.stage


def ended_badly(ledger: Ledger, result: Result) -> Ledger:
    ledger = step(ledger, result)
    while ledger.active is not None:
        ledger = step(ledger, DONE)
    return ledger


def test_the_table_answers_every_outcome_of_every_stage_that_has_work() -> None:
    assert set(TABLE) == set(itertools.product(WORK, Outcome))
    assert set(WORK) | {s for s in Stage if s.phase.ended} == set(Stage)


def test_every_stage_is_told_as_a_phase() -> None:
    assert {s.phase for s in Stage} == set(Phase) - {Phase.IDLE}
    assert {s for s in Stage if s.phase is Phase.TRIAL} == IN_TRIAL


def test_a_release_that_does_well_is_committed_and_its_report_is_stored_with_it() -> None:
    ledger = until(Stage.COMMITTED)
    assert ledger.running == wanted().target
    assert [(r.action, r.phase) for r in ledger.unsent] == [("roll-out 1.2", Phase.COMMITTED)]
    assert ledger.update is not None
    assert ledger.update.stores < MOST_STORES / 2


def test_a_report_is_forgotten_only_when_it_was_sent() -> None:
    ledger = until(Stage.COMMITTED)
    assert sent(ledger, ledger.unsent[0]).unsent == ()


@pytest.mark.parametrize("stage", sorted(WORK))
def test_what_ends_badly_says_why(stage: Stage) -> None:
    for outcome in (Outcome.FAILED, Outcome.HUNG, Outcome.CANCELLED):
        ledger = ended_badly(
            until(stage)
            if stage is not Stage.GOING_BACK
            else step(until(Stage.PROVING), Result(Outcome.FAILED)),
            Result(outcome),
        )
        assert stage_of(ledger) is (Stage.ROLLED_BACK if stage in IN_TRIAL else Stage.FAILED)
        assert ledger.unsent[-1].reason is not None


def test_a_try_is_spent_before_each_load_of_the_gate_and_the_last_death_goes_back() -> None:
    ledger = until(Stage.PROVING)
    left = []
    while stage_of(ledger) is Stage.PROVING:
        assert ledger.update is not None
        left.append(ledger.update.tries_left)
        ledger = step(ledger, Result(Outcome.KILLED))
    assert left == list(range(TRIES - 1, -1, -1))
    assert stage_of(ledger) is Stage.GOING_BACK
    assert stage_of(step(ledger, DONE)) is Stage.ROLLED_BACK
    assert step(ledger, DONE).unsent[-1].reason is Reason.CRASH


def test_how_long_it_has_soaked_is_no_step_and_survives_a_death() -> None:
    ledger = until(Stage.SOAKING)
    later = soaked(ledger, wanted().action, 120.0)
    assert later.update is not None
    assert ledger.update is not None
    assert later.update == ledger.update.model_copy(update={"soaked_s": 120.0})
    after = step(later, Result(Outcome.KILLED)).update
    assert after is not None
    assert (after.stage, after.soaked_s) == (Stage.SOAKING, 120.0)
    assert soaked(ledger, "another", 120.0) == ledger
    proving = until(Stage.PROVING)
    assert soaked(proving, wanted().action, 120.0) == proving


def test_a_daemon_that_dies_in_the_soak_spends_tries_and_then_goes_back() -> None:
    ledger = until(Stage.SOAKING)
    starts = 0
    while stage_of(ledger) is Stage.SOAKING:
        ledger = about_to_load(ledger, KNOWN["generation"])  # type: ignore[arg-type]
        starts += 1
    assert starts == TRIES
    assert stage_of(ledger) is Stage.GOING_BACK


def test_normal_starts_never_cost_a_good_release_anything() -> None:
    for ledger, current in (
        (Ledger(), ""),
        (until(Stage.COMMITTED), "000002-abc"),
        (until(Stage.PROVING), "000001-abc"),
        (until(Stage.SOAKING), "000001-abc"),
    ):
        assert about_to_load(ledger, current) == ledger


def test_a_release_that_was_rolled_back_is_refused_unless_a_human_says_so() -> None:
    ledger = ended_badly(until(Stage.PROVING), Result(Outcome.FAILED, Reason.GATE_CALL))
    again = begin(ledger, wanted(action="another day"))
    assert stage_of(again) is Stage.FAILED
    assert again.unsent[-1].reason is Reason.REJECTED_BEFORE
    assert again.rolled_back == 1
    assert stage_of(begin(ledger, wanted(forced=True))) is Stage.ASSIGNED


def test_three_roll_backs_in_a_row_stop_updates_until_a_human_installs_one() -> None:
    ledger = Ledger()
    for release in ("1.1", "1.2", "1.3"):
        ledger = begin(ledger, wanted(release))
        while stage_of(ledger) is not Stage.PROVING:
            ledger = step(ledger, DONE)
        ledger = ended_badly(ledger, Result(Outcome.FAILED, Reason.GATE_WAKE))
    refused = refusal(ledger, wanted("1.4"))
    assert refused is not None
    assert refused[0] is Reason.STOPPED
    good = begin(ledger, wanted("1.4", forced=True))
    while good.active is not None:
        good = step(good, DONE)
    assert refusal(good, wanted("1.5")) is None


def test_two_updates_never_go_on_at_once() -> None:
    with pytest.raises(ValueError, match="another"):
        begin(until(Stage.DOWNLOADING), wanted("1.3"))


def test_the_owner_goes_back_behind_a_committed_release_for_good() -> None:
    ledger = reject_running(until(Stage.COMMITTED))
    assert refusal(ledger, wanted()) is not None
    assert reject_running(Ledger()) == Ledger()


def test_taking_an_update_back_is_its_own_reason() -> None:
    early = give_up(until(Stage.DOWNLOADING), Reason.CANCELLED, "by the owner")
    assert stage_of(early) is Stage.FAILED
    assert early.unsent[-1].reason is Reason.CANCELLED
    assert stage_of(give_up(until(Stage.SOAKING), Reason.CANCELLED)) is Stage.GOING_BACK


def test_the_first_reason_is_the_one_that_is_told() -> None:
    ledger = step(until(Stage.SOAKING), Result(Outcome.FAILED, Reason.SOAK, "turns failed"))
    ledger = step(ledger, Result(Outcome.FAILED, Reason.DISK, "read-only"))
    ledger = step(ledger, DONE)
    assert (ledger.unsent[-1].reason, ledger.unsent[-1].detail) == (Reason.SOAK, "turns failed")


@given(st.lists(st.sampled_from(sorted(Outcome)), max_size=80))
def test_whatever_happens_it_ends_within_the_loop_breaker(outcomes: list[Outcome]) -> None:
    ledger = begin(Ledger(), wanted())
    forever = itertools.chain(outcomes, itertools.repeat(Outcome.KILLED))
    for _, outcome in zip(range(2 * MOST_STORES), forever, strict=False):
        if ledger.active is None:
            break
        ledger = step(ledger, Result(outcome))
    assert ledger.update is not None
    assert ledger.update.ended
    assert ledger.update.stores <= MOST_STORES + TRIES + 2
    assert len(ledger.unsent) == 1
    committed = ledger.update.stage is Stage.COMMITTED
    assert committed == (ledger.unsent[0].reason is None)


class Lives(RuleBasedStateMachine):
    """Many updates on one device, by a source, an owner and a daemon that all do as they like."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.current = "000001-abc"
        self.releases = 0

    @precondition(lambda self: self.ledger.active is None and not self.ledger.unsent)
    @rule(forced=st.booleans(), again=st.booleans())
    def assigned(self, forced: bool, again: bool) -> None:
        self.releases += 0 if again else 1
        self.ledger = begin(self.ledger, wanted(f"1.{max(self.releases, 1)}", forced=forced))

    @precondition(lambda self: self.ledger.active is not None)
    @rule(outcome=st.sampled_from(sorted(Outcome)))
    def worked(self, outcome: Outcome) -> None:
        update = self.ledger.active
        assert update is not None
        if outcome is Outcome.DONE and update.stage is Stage.SWITCHING:
            self.current = "000002-abc"
        if outcome is Outcome.DONE and update.stage is Stage.GOING_BACK:
            self.current = "000001-abc"
        self.ledger = step(self.ledger, Result(outcome, learnt=KNOWN))

    @rule()
    def daemon_starts(self) -> None:
        before = self.ledger
        self.ledger = about_to_load(self.ledger, self.current)
        if before.active is None or before.active.stage not in IN_TRIAL:
            assert self.ledger == before

    @precondition(lambda self: bool(self.ledger.unsent))
    @rule()
    def source_is_told(self) -> None:
        self.ledger = sent(self.ledger, self.ledger.unsent[0])

    @invariant()
    def is_small_and_readable(self) -> None:
        assert Ledger.model_validate_json(self.ledger.model_dump_json()) == self.ledger
        assert len(self.ledger.rejected) <= 32

    @invariant()
    def no_end_without_a_reason(self) -> None:
        update = self.ledger.update
        if update is not None and update.ended and update.stage is not Stage.COMMITTED:
            assert update.reason is not None


TestLives = Lives.TestCase
