"""What an update does next: stage and outcome in, next stage out, as one table.

No clock, no disk, no thread. The journal keeps what comes out here before anything acts upon it;
the agent does the work of a stage until it has an outcome, and asks again.

    assigned → downloading → verified → staged → wait_quiet
        → proving → switching → soaking → committed
    what ends badly: before the trial → failed; in it → going_back → rolled_back
    what serves already, under another release or action: verified → committed
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ota.errors import Reason
from ota.phases import Phase
from ota.rollout.source import Assignment, Install, Report

TRIES = 3
"""How often a release's engines may be about to load before they have proved themselves."""
MOST_STORES = 28
"""More transitions than an honest update needs: the loop breaker."""
MOST_ROLLED_BACK = 3
"""Roll-backs in a row after which updates wait for a person."""
KEPT_REJECTIONS = 32
KEPT_REPORTS = 16
DETAIL_CHARACTERS = 500


class Stage(str, Enum):
    """Where an update stands, finer than what is reported of it."""

    ASSIGNED = "assigned"
    DOWNLOADING = "downloading"
    VERIFIED = "verified"
    STAGED = "staged"
    WAIT_QUIET = "wait_quiet"
    PROVING = "proving"
    """The gate runs on the new engines; the old ones still serve."""
    SWITCHING = "switching"
    """The gate was passed; ``current`` is about to move, or has."""
    SOAKING = "soaking"
    """The new ones serve; real turns decide."""
    GOING_BACK = "going_back"
    """The release is given up; ``current`` is about to name the one before, or does."""
    COMMITTED = "committed"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"

    @property
    def phase(self) -> Phase:
        """What is told of it."""
        return Phase.TRIAL if self in IN_TRIAL else Phase(self.value)


IN_TRIAL = frozenset({Stage.PROVING, Stage.SWITCHING, Stage.SOAKING, Stage.GOING_BACK})
MAY_SERVE = frozenset({Stage.SWITCHING, Stage.SOAKING, Stage.GOING_BACK})
"""The stages in which ``current`` may name a release that is not committed."""


class Effect(str, Enum):
    """What has to be done in a stage, until there is an outcome. Each may be begun again."""

    JUDGE = "judge"
    """Get the signed release; hold it against this device, the floor and the waves."""
    FETCH = "fetch"
    """Get every file; what is there already is not fetched again."""
    STAGE = "stage"
    """Make the generation; build its engines. ``current`` stays."""
    HOLD = "hold"
    """Wait until the source lets it be installed."""
    AWAIT_QUIET = "await_quiet"
    """Wait for a moment in which nobody needs the box."""
    PROVE = "prove"
    """Load the new engines beside the old, run the gate."""
    SWITCH = "switch"
    """Move ``current``, let the new engines serve from the next turn on."""
    SOAK = "soak"
    """Watch real turns."""
    GO_BACK = "go_back"
    """Let ``current`` name the generation before, let it serve."""


class Outcome(str, Enum):
    """How the work of a stage ended."""

    DONE = "done"
    FAILED = "failed"
    HUNG = "hung"
    """It took longer than the stage's budget."""
    KILLED = "killed"
    """Who did it died: a crash, a power cut, a restart."""
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Work:
    """A stage's work, the seconds it may take, and what it means when it takes longer."""

    effect: Effect
    budget_s: float
    hung: Reason


DAY_S = 86_400.0
WORK: Mapping[Stage, Work] = {
    Stage.ASSIGNED: Work(Effect.JUDGE, 600, Reason.UNREACHABLE),
    Stage.DOWNLOADING: Work(Effect.FETCH, 7 * DAY_S, Reason.TOO_SLOW),
    Stage.VERIFIED: Work(Effect.STAGE, 4 * 3600, Reason.ENGINE_BUILD),
    Stage.STAGED: Work(Effect.HOLD, 30 * DAY_S, Reason.CANCELLED),
    Stage.WAIT_QUIET: Work(Effect.AWAIT_QUIET, 14 * DAY_S, Reason.NEVER_QUIET),
    Stage.PROVING: Work(Effect.PROVE, 1200, Reason.GATE_TIME),
    Stage.SWITCHING: Work(Effect.SWITCH, 300, Reason.CRASH),
    Stage.SOAKING: Work(Effect.SOAK, 8 * DAY_S, Reason.SOAK),
    Stage.GOING_BACK: Work(Effect.GO_BACK, 300, Reason.CRASH),
}

_S, _O = Stage, Outcome
_BEFORE = (_S.ASSIGNED, _S.DOWNLOADING, _S.VERIFIED, _S.STAGED, _S.WAIT_QUIET)
_TRIED = (_S.PROVING, _S.SWITCHING, _S.SOAKING)
_BAD = (_O.FAILED, _O.HUNG, _O.CANCELLED)

TABLE: Mapping[tuple[Stage, Outcome], Stage] = {
    (_S.ASSIGNED, _O.DONE): _S.DOWNLOADING,
    (_S.DOWNLOADING, _O.DONE): _S.VERIFIED,
    (_S.VERIFIED, _O.DONE): _S.STAGED,
    (_S.STAGED, _O.DONE): _S.WAIT_QUIET,
    (_S.WAIT_QUIET, _O.DONE): _S.PROVING,
    (_S.PROVING, _O.DONE): _S.SWITCHING,
    (_S.SWITCHING, _O.DONE): _S.SOAKING,
    (_S.SOAKING, _O.DONE): _S.COMMITTED,
    (_S.GOING_BACK, _O.DONE): _S.ROLLED_BACK,
    **{(stage, bad): _S.FAILED for stage in _BEFORE for bad in _BAD},
    **{(stage, bad): _S.GOING_BACK for stage in _TRIED for bad in _BAD},
    # Every effect may be begun again, so a death costs nothing but, in the gate, a try.
    **{(stage, _O.KILLED): stage for stage in (*_BEFORE, *_TRIED, _S.GOING_BACK)},
    # Going back is tried until the loop breaker says that it cannot be done.
    **{(_S.GOING_BACK, bad): _S.GOING_BACK for bad in _BAD},
}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


Text = Annotated[str, Field(max_length=512)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Enumerated = Field(strict=False)


class Update(_Frozen):
    """One update: what was assigned, what is known of it, where it stands."""

    action: Text
    target: Text
    install: Install = "quiet"
    forced: bool = False
    stick: Text = ""
    """As ``Assignment.stick``."""
    stage: Annotated[Stage, Enumerated] = Stage.ASSIGNED
    release: Text = ""
    """Its name, once the signed release is here."""
    counter: Count = 0
    size: int = Field(default=0, ge=0)
    notes: Text = ""
    """What is new, for the owner's eyes."""
    generation: Text = ""
    """Directory name of the staged bundle."""
    previous: Text = ""
    """Directory name of the one to go back to."""
    tries_left: Count = TRIES
    soaked_s: float = Field(default=0, ge=0, allow_inf_nan=False)
    """Seconds of the soak that count, up to a minute ago."""
    stores: Count = 0
    reason: Annotated[Reason | None, Enumerated] = None
    detail: str = Field(default="", max_length=DETAIL_CHARACTERS)

    @property
    def ended(self) -> bool:
        return self.stage.phase.ended


class Rejection(_Frozen):
    """A release that this device rolled back, and why."""

    target: Text
    counter: Count
    reason: Annotated[Reason, Enumerated]


class FinalReport(_Frozen):
    """The end of an update that its source has not been told of yet."""

    action: Text
    phase: Annotated[Phase, Enumerated]
    reason: Annotated[Reason | None, Enumerated] = None
    detail: str = Field(default="", max_length=DETAIL_CHARACTERS)

    def as_report(self) -> Report:
        return Report(self.action, self.phase, self.reason, self.detail)


class Ledger(_Frozen):
    """All that the updater remembers: one small file."""

    format: Literal[1] = 1
    update: Update | None = None
    """The one that goes on, or the last that ended."""
    running: Text = ""
    """Target of the release that was committed last."""
    running_counter: Count = 0
    """Its counter; 0: not known. The floor says less: it never falls, a signed downgrade does."""
    rolled_back: Count = 0
    """Roll-backs in a row."""
    rejected: Annotated[tuple[Rejection, ...], Field(strict=False)] = ()
    unsent: Annotated[tuple[FinalReport, ...], Field(strict=False)] = ()
    """Reports of ends, oldest first: an end and its report are stored in one write."""

    @property
    def active(self) -> Update | None:
        """The update that goes on; None when there is nothing to do."""
        return self.update if self.update is not None and not self.update.ended else None

    def rejection(self, target: str) -> Rejection | None:
        return next((one for one in self.rejected if one.target == target), None)


Key = tuple[str, str, int]


def key(ledger: Ledger) -> Key | None:
    """Where the update that goes on stands, exactly; None where none does.

    Who has decided by one ledger and stores into another compares: in between, somebody else may
    have moved it on.
    """
    update = ledger.active
    return None if update is None else (update.action, update.stage.value, update.stores)


@dataclass(frozen=True)
class Result:
    """An outcome, and what was learnt on the way."""

    outcome: Outcome
    reason: Reason | None = None
    detail: str = ""
    learnt: Mapping[str, str | int] = field(default_factory=dict)
    """``Update``'s fields that are known now."""


def refusal(ledger: Ledger, wanted: Assignment) -> tuple[Reason, str] | None:
    """Why an assignment is not even begun; None where it may be."""
    if wanted.forced:
        return None
    rejected = ledger.rejection(wanted.target)
    if rejected is not None:
        return Reason.REJECTED_BEFORE, f"rolled back here once: {rejected.reason.name}"
    if ledger.rolled_back >= MOST_ROLLED_BACK:
        return Reason.STOPPED, f"{ledger.rolled_back} roll-backs in a row"
    return None


def begin(ledger: Ledger, wanted: Assignment) -> Ledger:
    """Take an assignment up; refused ones end at once, with a report.

    Raises:
        ValueError: another update goes on.
    """
    if ledger.active is not None:
        raise ValueError("another update goes on")
    update = Update(
        action=wanted.action,
        target=wanted.target,
        install=wanted.install,
        forced=wanted.forced,
        stick=wanted.stick,
    )
    refused = refusal(ledger, wanted)
    if refused is None:
        return ledger.model_copy(update={"update": update})
    reason, detail = refused
    return _end(ledger, _to(update, Stage.FAILED, reason, detail))


def step(ledger: Ledger, result: Result) -> Ledger:
    """The ledger after the work of the current stage has ended; as it was if none goes on."""
    update = ledger.active
    if update is None:
        return ledger
    update = Update.model_validate({**update.model_dump(), **result.learnt})
    before, result = update.stage, _explained(update, result)
    to = TABLE[before, result.outcome]
    if to is Stage.STAGED and update.generation and update.generation == update.previous:
        to = Stage.COMMITTED  # there is nothing to try, and nothing to go back to
    if to is Stage.PROVING:
        # A try is spent before the engines load, so that no crash can forget it.
        if update.tries_left == 0:
            to, result = Stage.GOING_BACK, _crashed()
        else:
            update = update.model_copy(update={"tries_left": update.tries_left - 1})
    update = _to(update, to, result.reason, result.detail)
    if update.stores > MOST_STORES and not update.ended:
        update = _broken_out(update, before)
    return _end(ledger, update)


def about_to_load(ledger: Ledger, current: str) -> Ledger:
    """The ledger as it must be stored before a starting daemon loads the engines of ``current``.

    Only a release on trial spends a try; a committed one may be started as often as one likes.
    """
    update = ledger.active
    if update is None or update.stage not in MAY_SERVE or current != update.generation:
        return ledger
    if update.stage is Stage.GOING_BACK:
        return ledger
    if update.tries_left == 0:
        gone = _crashed()
        return _end(ledger, _to(update, Stage.GOING_BACK, gone.reason, gone.detail))
    spent = {"tries_left": update.tries_left - 1, "stores": update.stores + 1}
    return ledger.model_copy(update={"update": update.model_copy(update=spent)})


def soaked(ledger: Ledger, action: str, seconds: float) -> Ledger:
    """The ledger with what the soak that goes on has come to: no step, so nothing is counted."""
    update = ledger.active
    if update is None or update.action != action or update.stage is not Stage.SOAKING:
        return ledger
    longer = {"soaked_s": max(seconds, update.soaked_s)}
    return ledger.model_copy(update={"update": update.model_copy(update=longer)})


def give_up(ledger: Ledger, reason: Reason, detail: str = "") -> Ledger:
    """Take back what goes on: before the trial nothing has happened, in it the way is back."""
    return step(ledger, Result(Outcome.CANCELLED, reason, detail))


def reject_running(ledger: Ledger, reason: Reason = Reason.CANCELLED) -> Ledger:
    """The owner went back behind the committed release: it is not to come by itself again."""
    if not ledger.running:
        return ledger
    kept = [one for one in ledger.rejected if one.target != ledger.running]
    mark = Rejection(target=ledger.running, counter=ledger.running_counter, reason=reason)
    change = {"running": "", "running_counter": 0, "rejected": (*kept, mark)[-KEPT_REJECTIONS:]}
    return ledger.model_copy(update=change)


def sent(ledger: Ledger, report: FinalReport) -> Ledger:
    """The source has the report."""
    return ledger.model_copy(
        update={"unsent": tuple(one for one in ledger.unsent if one != report)}
    )


def _explained(update: Update, result: Result) -> Result:
    """Every bad outcome has a reason."""
    if result.outcome is Outcome.HUNG:
        reason = result.reason or WORK[update.stage].hung
        detail = result.detail or f"{update.stage.value}: no outcome in its time"
        return replace(result, reason=reason, detail=detail)
    if result.outcome is Outcome.FAILED and result.reason is None:
        return replace(result, reason=WORK[update.stage].hung)
    if result.outcome is Outcome.CANCELLED and result.reason is None:
        return replace(result, reason=Reason.CANCELLED)
    return result


def _crashed() -> Result:
    return Result(Outcome.FAILED, Reason.CRASH, f"died in each of {TRIES} tries")


def _to(update: Update, stage: Stage, reason: Reason | None, detail: str) -> Update:
    change: dict[str, object] = {"stage": stage, "stores": update.stores + 1}
    if reason is not None and update.reason is None:  # the first reason is the one that counts
        change |= {"reason": reason, "detail": detail[:DETAIL_CHARACTERS]}
    return update.model_copy(update=change)


def _broken_out(update: Update, before: Stage) -> Update:
    """Out of the loop: back where that was not tried yet, else the end."""
    change: dict[str, object] = {"reason": update.reason or Reason.LOOP}
    if update.reason is None:
        change["detail"] = f"stored {update.stores} times, last in {update.stage.value}"
    if before is Stage.GOING_BACK or update.stage not in IN_TRIAL:
        change["stage"] = Stage.FAILED
    else:
        change["stage"] = Stage.GOING_BACK
    return update.model_copy(update=change)


def _end(ledger: Ledger, update: Update) -> Ledger:
    """The ledger with this update, and what its end means, if it is one."""
    change: dict[str, object] = {"update": update}
    if update.ended:
        report = FinalReport(
            action=update.action,
            phase=update.stage.phase,
            reason=update.reason,
            detail=update.detail,
        )
        change["unsent"] = (*ledger.unsent, report)[-KEPT_REPORTS:]
    if update.stage is Stage.COMMITTED:
        others = tuple(one for one in ledger.rejected if one.target != update.target)
        running = {"running": update.target, "running_counter": update.counter}
        change |= {"rolled_back": 0, "rejected": others, **running}
    if update.stage is Stage.ROLLED_BACK:
        mark = Rejection(
            target=update.target, counter=update.counter, reason=update.reason or Reason.CRASH
        )
        others = tuple(one for one in ledger.rejected if one.target != update.target)
        change |= {
            "rolled_back": ledger.rolled_back + 1,
            "rejected": (*others, mark)[-KEPT_REJECTIONS:],
        }
    return ledger.model_copy(update=change)
