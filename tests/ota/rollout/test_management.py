"""The guard against a hawkBit whose own thresholds would never notice a bricked device."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

import pytest

from ota.errors import TransferError
from ota.rollout.guard import Limits, Tally, fault
from ota.rollout.management import HawkbitManagement
from ota.rollout.web import Answer
from tests.support.ddi_double import DdiDouble, Status
from tests.support.hawkbit_management import HawkbitOperator

BEGIN = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)
SIX_HOURS = Limits.silent_after


class Fleet:
    """Devices at a hawkBit, on a clock of their own."""

    def __init__(self, devices: int) -> None:
        self.now = BEGIN
        self.hawkbit = DdiDouble(clock=lambda: self.now.timestamp())
        self.names = [f"spk/{number}" for number in range(devices)]  # a name that needs quoting
        self.operator = HawkbitOperator(self.hawkbit, {1: self.names[:-1], 2: self.names[-1:]})
        self.operator.begin(1)
        self.start_guard()
        for name in self.names:
            self.hawkbit.assign(name, "models/pc/1.0/release.json")
        self.tally()

    def start_guard(self) -> None:
        self.guard = HawkbitManagement("https://hawkbit.example", "guard", "word", self.operator)

    def tally(self) -> Tally:
        return self.guard.tally(7, self.now, SIX_HOURS)

    def pass_time(self, hours: float) -> None:
        self.now += timedelta(hours=hours)

    def poll(self, *names: str) -> None:
        for name in names:
            self.hawkbit.handle("GET", f"/DEFAULT/controller/v1/{name.replace('/', '%2F')}")

    def end(self, name: str, status: Status) -> None:
        action = self.hawkbit.active(name)
        assert action is not None
        action.status, action.active = status, False


def test_devices_that_never_came_have_not_begun() -> None:
    fleet = Fleet(10)
    fleet.pass_time(48)
    assert fleet.tally() == Tally()


def test_ends_are_counted_by_what_the_devices_said() -> None:
    fleet = Fleet(10)
    fleet.pass_time(1)
    fleet.poll(*fleet.names[:6])
    for name in fleet.names[:3]:
        fleet.end(name, Status.FINISHED)
    fleet.end(fleet.names[3], Status.ERROR)
    assert fleet.tally() == Tally(begun=6, succeeded=3, failed=1)


def test_a_device_that_came_and_fell_silent_is_a_failure() -> None:
    fleet = Fleet(200)
    fleet.pass_time(1)
    fleet.poll(*fleet.names[:100])
    for name in fleet.names[:97]:
        fleet.end(name, Status.FINISHED)
    fleet.pass_time(5.9)
    assert fleet.tally() == Tally(begun=100, succeeded=97)
    assert fault(fleet.tally(), Limits()) is None
    fleet.pass_time(0.2)
    assert fleet.tally() == Tally(begun=100, succeeded=97, silent=3)
    assert fault(fleet.tally(), Limits()) == "3 of 100 fell silent"


def test_who_is_force_cancelled_stays_a_failure_though_hawkbit_forgets_it() -> None:
    fleet = Fleet(200)
    fleet.pass_time(1)
    fleet.poll(*fleet.names[:3])
    fleet.pass_time(7)
    assert fleet.guard.cancel_silent(7, fleet.now, SIX_HOURS) == 3
    assert [a.status for a in fleet.hawkbit.actions.values()][:4] == [
        Status.CANCELED, Status.CANCELED, Status.CANCELED, Status.RUNNING,
    ]  # fmt: skip
    assert fleet.tally() == Tally(begun=3, cancelled=3)
    assert fleet.tally().lost == 3
    assert fleet.guard.cancel_silent(7, fleet.now, SIX_HOURS) == 0


def test_who_was_last_heard_before_its_group_began_is_not_blamed() -> None:
    fleet = Fleet(10)
    last = fleet.names[-1]
    fleet.pass_time(1)
    fleet.poll(last)
    fleet.pass_time(10)
    fleet.operator.begin(2)
    assert fleet.tally() == Tally()
    fleet.pass_time(1)
    fleet.poll(last)
    fleet.pass_time(7)
    assert fleet.tally() == Tally(begun=1, silent=1)


def test_a_guard_that_starts_anew_sees_who_fell_silent_before_it() -> None:
    fleet = Fleet(200)
    fleet.pass_time(1)
    fleet.poll(*fleet.names[:100])
    for name in fleet.names[:97]:
        fleet.end(name, Status.FINISHED)
    fleet.pass_time(20)
    fleet.start_guard()
    assert fleet.tally() == Tally(begun=100, succeeded=97, silent=3)


def test_a_group_that_a_server_changes_later_began_when_it_was_first_seen() -> None:
    fleet = Fleet(10)
    fleet.pass_time(1)
    fleet.poll(fleet.names[0])
    fleet.pass_time(10)
    fleet.operator.begun[1] = fleet.now.timestamp()  # a target was deleted from it
    assert fleet.tally() == Tally(begun=1, silent=1)


def test_where_the_server_tells_no_beginning_silence_counts_from_the_guard_s_own() -> None:
    fleet = Fleet(10)
    fleet.operator.tells_when = False
    fleet.pass_time(1)
    fleet.poll(fleet.names[0])
    fleet.pass_time(20)
    fleet.start_guard()
    assert fleet.tally() == Tally()
    fleet.pass_time(1)
    fleet.poll(fleet.names[1])
    fleet.pass_time(7)
    assert fleet.tally() == Tally(begun=1, silent=1)


def test_a_group_from_a_clock_far_ahead_begins_now() -> None:
    fleet = Fleet(10)
    fleet.operator.begun[1] = 2**43
    fleet.start_guard()
    assert fleet.tally() == Tally()
    fleet.pass_time(1)
    fleet.poll(fleet.names[0])
    fleet.pass_time(7)
    assert fleet.tally() == Tally(begun=1, silent=1)


def test_a_pause_may_be_said_twice() -> None:
    fleet = Fleet(1)
    fleet.guard.pause(7)
    fleet.guard.pause(7)
    assert fleet.operator.paused


def test_a_wrong_password_or_an_unknown_roll_out_is_an_error() -> None:
    fleet = Fleet(1)
    wrong = HawkbitManagement("https://hawkbit.example", "guard", "no", fleet.operator)
    with pytest.raises(TransferError, match="401"):
        wrong.tally(7, BEGIN, SIX_HOURS)
    with pytest.raises(TransferError, match="404"):
        fleet.guard.tally(8, BEGIN, SIX_HOURS)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"total": -1}', "total"),
        (b'{"total": 1, "content": [{"id": "secret"}]}', "content.0.id"),
        (b"<html>", "its top"),
    ],
)
def test_an_answer_that_is_no_list_is_an_error_that_does_not_quote_it(
    body: bytes, place: str
) -> None:
    guard = HawkbitManagement("https://hawkbit.example", "guard", "word", Says(body))
    with pytest.raises(TransferError, match=f"no Page.Action.: {place}$"):
        guard.tally(7, BEGIN, SIX_HOURS)


class Says:
    """A server with one answer for everything."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        return Answer(200, {}, self.body)
