"""A guard round against hawkBit: both the server and the signed roll-out stop."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ota.errors import TransferError
from ota.repository.errors import PublishError
from ota.repository.publisher import Publisher
from ota.repository.rollouts import current_rollout, roll_out
from ota.rollout.guard import Decision, Limits, Pause, Tally, Wait
from ota.rollout.management import HawkbitManagement
from ota.rollout.rollout import Rollout
from ota.trust.clock import utc_now
from services.cli import main
from services.exit_codes import ExitCode
from services.fleet.guard import facts, told
from services.fleet.guarding import AtHawkbit, guard_round
from tests.support.ddi_double import DdiDouble, Status
from tests.support.hawkbit_management import HawkbitOperator
from tests.support.published import Desk
from tests.support.tiny_bundle import write_bundle

CLASS = "pc-x86-64"


class Rig:
    """A published release, and a hawkBit that has assigned it to a hundred devices."""

    def __init__(self, folder: Path, waves: str = "--nobody") -> None:
        self.repository = folder / "fleet"
        where = ["--repository", str(self.repository)]
        of = ["--class", CLASS, "--release", "2.0"]
        bundle = write_bundle(folder / "bundle")
        for words in (
            ["init", "--class", CLASS, *where],
            ["publish", str(bundle), "--unproved", *of, *where],
            ["rollout", waves, *of, *where],
        ):
            assert main(["fleet", *words]) == ExitCode.OK
        self.hours = 0.0
        self.hawkbit = DdiDouble(clock=lambda: self.now().timestamp())
        self.names = [f"spk-{number}" for number in range(100)]
        self.operator = HawkbitOperator(self.hawkbit, {1: self.names})
        self.operator.begin(1)
        self.start_guard()
        for name in self.names:
            self.hawkbit.assign(name, "models/pc-x86-64/2.0/release.json")

    def start_guard(self) -> None:
        server = HawkbitManagement("https://hawkbit.example", "guard", "word", self.operator)
        self.plane = AtHawkbit(server, 7, Limits())

    def now(self) -> datetime:
        return utc_now() + timedelta(hours=self.hours)

    def round(self) -> Decision:
        with Publisher(self.repository, now=self.now()).working() as publisher:
            return guard_round(publisher, CLASS, self.plane, Limits()).decision

    def poll(self, *names: str) -> None:
        for name in names:
            self.hawkbit.handle("GET", f"/DEFAULT/controller/v1/{name}")

    def paused(self) -> bool:
        with Publisher(self.repository, now=utc_now()).working() as publisher:
            found = current_rollout(publisher, CLASS)
        assert found is not None
        return found.paused

    def end(self, count: int, status: Status) -> None:
        for action in [a for a in self.hawkbit.actions.values() if a.active][:count]:
            action.status, action.active = status, False


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_a_roll_out_that_does_well_is_left_alone(rig: Rig) -> None:
    rig.end(100, Status.FINISHED)
    assert isinstance(rig.round(), Wait)
    assert not rig.operator.paused
    assert not rig.paused()


def test_errors_stop_hawkbit_and_the_signed_roll_out(rig: Rig) -> None:
    rig.end(90, Status.FINISHED)
    rig.end(6, Status.ERROR)
    assert rig.round() == Pause("6 of 96 failed")
    assert rig.operator.paused
    assert rig.paused()


def test_a_pause_that_hawkbit_did_not_hear_is_said_again(rig: Rig) -> None:
    rig.end(100, Status.ERROR)
    rig.round()
    rig.operator.paused = False
    assert rig.round() == Wait("paused")
    assert rig.operator.paused


def test_hawkbit_stops_even_where_the_key_of_the_roll_out_is_missing(rig: Rig) -> None:
    rig.end(100, Status.ERROR)
    for key in (rig.repository / "keys").iterdir():
        key.unlink()
    with pytest.raises(PublishError):
        rig.round()
    assert rig.operator.paused


def test_the_signed_roll_out_stops_even_where_hawkbit_cannot_be_reached(rig: Rig) -> None:
    rig.end(100, Status.ERROR)
    rig.operator.deaf_to = "pause"
    with pytest.raises(TransferError):
        rig.round()
    assert rig.paused()


def test_a_guard_that_was_started_again_sees_who_fell_silent_before(rig: Rig) -> None:
    rig.hours = 1
    rig.poll(*rig.names)
    rig.end(95, Status.FINISHED)
    rig.hours = 20
    rig.start_guard()
    assert rig.round() == Pause("5 of 100 fell silent")


@pytest.mark.parametrize("ended", [0, 100])
def test_where_hawkbit_sets_the_pace_the_guard_opens_no_wave(tmp_path: Path, ended: int) -> None:
    rig = Rig(tmp_path, "--gated")
    rig.end(ended, Status.FINISHED)
    rig.hours = 20
    decision = rig.round()
    assert isinstance(decision, Wait)
    assert "hawkBit sets the pace" in decision.why


def test_a_gated_roll_out_is_stopped_at_hawkbit_all_the_same(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "--gated")
    rig.end(100, Status.ERROR)
    assert isinstance(rig.round(), Pause)


def test_a_pause_goes_out_while_another_release_waits_for_a_signature(tmp_path: Path) -> None:
    desk = Desk.team(tmp_path)
    desk.found()
    desk.publish("2.0", "release1", "release2")
    with desk.publisher() as publisher:
        roll_out(publisher, CLASS, "2.0", ())
    desk.publish("2.1", "release1")
    with desk.publisher() as publisher:
        done = guard_round(publisher, CLASS, AllFail(), Limits())
        after = current_rollout(publisher, CLASS)
    assert isinstance(done.decision, Pause)
    assert after is not None
    assert after.paused
    assert desk.waiting()
    assert "100 began, 0 succeeded, 100 failed, 0 silent; 3 messages of more devices" in told(done)
    assert facts(done)["uncounted"] == 3


class AllFail:
    """A control plane whose devices have all reported failure."""

    def tally(self, rollout: Rollout, now: datetime) -> Tally:
        return Tally(begun=100, failed=100)

    uncounted = 3
    paces = False

    def pause(self) -> None:
        """Nobody else to tell."""

    def published(self, rollout: Rollout, now: datetime) -> None:
        """Nobody else to tell."""
