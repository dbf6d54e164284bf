"""A fleet as its messages show it."""

from __future__ import annotations

import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota.errors import Reason
from ota.phases import Phase
from ota.release import Facts
from ota.rollout.fleet_view import FleetView
from ota.rollout.guard import Limits, Tally, fault
from ota.rollout.status import Inventory, Kind, OtaEvent, OtaState, Topics
from ota.rollout.waves import bucket

NOW = 1.8e9
HOUR = 3600.0
BOOT = "0f8fad5b-d9cb-469f-a165-70867728950e"


def state(
    phase: Phase,
    *,
    wanted: str | None = "2.0",
    release: str | None = "1.0",
    ts: float = NOW,
    reason: Reason | None = None,
) -> bytes:
    return (
        OtaState(
            ts=ts, boot_id=BOOT, seq=0, phase=phase, wanted=wanted, release=release, reason=reason
        )
        .model_dump_json()
        .encode()
    )


def inventory(device_class: str) -> bytes:
    facts = Facts(device_class=device_class, memory_mb=1, app="1.0")
    told = Inventory(ts=NOW, boot_id=BOOT, seq=0, facts=facts, disk_free=0)
    return told.model_dump_json().encode()


class Ear:
    """A view, and somebody who says things to it."""

    def __init__(self, limit: int = 1000) -> None:
        self.view = FleetView("acme", limit=limit)

    def hear(
        self, device: str, kind: Kind, payload: bytes, now: float = NOW, *, retained: bool = False
    ) -> None:
        self.view.hear(Topics("acme", device).of(kind), payload, retained=retained, now=now)

    def tally(self, now: float = NOW) -> Tally:
        return self.view.tally("2.0", now)


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.mark.parametrize(
    ("payload", "tally"),
    [
        (state(Phase.IDLE, wanted=None), Tally()),
        (state(Phase.IDLE, wanted=None, release="2.0"), Tally(1, succeeded=1)),
        (state(Phase.ASSIGNED), Tally(1)),
        (state(Phase.TRIAL), Tally(1)),
        (state(Phase.COMMITTED, release="2.0"), Tally(1, succeeded=1)),
        (state(Phase.ROLLED_BACK, reason=Reason.GATE_CALL), Tally(1, failed=1)),
        (state(Phase.FAILED, reason=Reason.NO_ROOM), Tally(1, failed=1)),
        (state(Phase.FAILED, reason=Reason.CANCELLED), Tally()),
        (state(Phase.TRIAL, wanted="3.0"), Tally()),
    ],
)
def test_a_state_counts_as_the_guard_means_it(ear: Ear, payload: bytes, tally: Tally) -> None:
    ear.hear("spk", "online", b"online")
    ear.hear("spk", "state", payload)
    assert ear.tally() == tally


def test_who_falls_silent_in_an_update_is_counted_after_six_hours(ear: Ear) -> None:
    ear.hear("spk", "state", state(Phase.TRIAL))
    ear.hear("spk", "online", b"offline", NOW + HOUR)
    assert ear.tally(NOW + 6.9 * HOUR) == Tally(1)
    assert ear.tally(NOW + 7.1 * HOUR) == Tally(1, silent=1)
    ear.hear("spk", "online", b"online", NOW + 8 * HOUR)
    assert ear.tally(NOW + 20 * HOUR) == Tally(1)


def test_a_late_operator_learns_from_retained_messages_how_long_somebody_is_silent(
    ear: Ear,
) -> None:
    ear.hear("spk", "online", b"offline", retained=True)
    ear.hear("spk", "state", state(Phase.TRIAL, ts=NOW - 7 * HOUR), retained=True)
    assert ear.tally() == Tally(1, silent=1)


def test_a_clock_ahead_of_ours_keeps_nobody_alive_for_ever(ear: Ear) -> None:
    ear.hear("spk", "state", state(Phase.TRIAL, ts=NOW + 1e6), retained=True)
    assert ear.tally(NOW + 7 * HOUR) == Tally(1, silent=1)


def test_who_is_silent_without_an_update_is_nobodys_failure(ear: Ear) -> None:
    ear.hear("spk", "state", state(Phase.COMMITTED, release="2.0"))
    assert ear.tally(NOW + 99 * HOUR) == Tally(1, succeeded=1)


def test_a_snapshot_shows_the_newest_release_wave_by_wave(ear: Ear) -> None:
    names = [f"spk-{number}" for number in range(600)]
    for name in names:
        ear.hear(name, "online", b"online")
        ear.hear(name, "state", state(Phase.IDLE, wanted=None))
    early = [name for name in names if bucket(name, "2.0") < 102]
    for name in early:
        ear.hear(name, "state", state(Phase.FAILED, reason=Reason.GATE_WAKE))
    found = ear.view.snapshot(NOW)
    assert (found.release, found.devices, found.online) == ("2.0", 600, 600)
    assert found.reasons == {"gate_wake": len(early)}
    assert found.running == {"1.0": 600}
    assert found.tally == Tally(len(early), failed=len(early))
    assert sum(wave.devices for wave in found.waves) == 600
    assert sum(wave.tally.failed for wave in found.waves[:3]) == len(early)
    assert [wave.until_bucket for wave in found.waves][:3] == [1, 20, 102]


def test_another_class_with_a_release_of_the_same_name_hides_no_failure_and_is_not_blamed() -> None:
    ear = Ear(limit=5100)
    gone, good = state(Phase.ROLLED_BACK, reason=Reason.GATE_CALL), state(Phase.COMMITTED)
    for number in range(5100):
        orin = number < 100
        ear.hear(f"spk-{number}", "state", gone if orin else good)
        ear.hear(f"spk-{number}", "inventory", inventory("orin-nano-jp6" if orin else "pc-x86-64"))
    orins, pcs = (ear.view.tally("2.0", NOW, name) for name in ("orin-nano-jp6", "pc-x86-64"))
    assert (orins, pcs) == (Tally(100, failed=100), Tally(5000, succeeded=5000))
    assert fault(orins, Limits()) == "100 of 100 failed"
    assert fault(pcs, Limits()) is None
    assert fault(ear.tally(), Limits()) is None  # all classes together would have looked well
    shown = ear.view.snapshot(NOW, device_class="orin-nano-jp6")
    assert (shown.devices, shown.tally, shown.reasons) == (100, orins, {"gate_call": 100})
    assert sum(wave.devices for wave in shown.waves) == 100


def test_who_has_not_said_of_which_class_it_is_counts_for_every_class(ear: Ear) -> None:
    ear.hear("spk", "state", state(Phase.TRIAL))
    assert ear.view.tally("2.0", NOW + 7 * HOUR, "pc-x86-64") == Tally(1, silent=1)
    ear.hear("spk", "inventory", inventory("orin-nano-jp6"), NOW + 7 * HOUR)
    assert ear.view.tally("2.0", NOW + 14 * HOUR, "pc-x86-64") == Tally()


def test_the_newest_release_of_a_class_is_shown_though_another_has_a_newer_one(ear: Ear) -> None:
    for name, device_class, runs in (("a", "pc-x86-64", "3.0"), ("b", "orin-nano-jp6", "2.0")):
        ear.hear(name, "state", state(Phase.IDLE, wanted=None, release=runs))
        ear.hear(name, "inventory", inventory(device_class))
    assert ear.view.snapshot(NOW).release == "3.0"
    assert ear.view.snapshot(NOW, device_class="orin-nano-jp6").release == "2.0"


def test_waves_are_those_that_are_asked_for_and_the_rest_has_none_yet(ear: Ear) -> None:
    for number in range(300):
        ear.hear(f"spk-{number}", "state", state(Phase.IDLE, wanted=None))
    places = [bucket(f"spk-{number}", "2.0") for number in range(300)]
    found = ear.view.snapshot(NOW, "2.0", waves=[20, 205]).waves
    assert [(wave.until_bucket, wave.devices, wave.signed) for wave in found] == [
        (20, sum(place < 20 for place in places), True),
        (205, sum(20 <= place < 205 for place in places), True),
        (2048, sum(place >= 205 for place in places), False),
    ]
    assert [wave.signed for wave in ear.view.snapshot(NOW, "2.0", waves=[2048]).waves] == [True]
    assert [wave.devices for wave in ear.view.snapshot(NOW, "2.0", waves=[]).waves] == [300]


def test_a_gap_in_the_events_is_noticed_and_a_restart_is_none(ear: Ear) -> None:
    def event(seq: int, boot: str = BOOT) -> bytes:
        told = OtaEvent(ts=NOW, boot_id=boot, seq=seq, phase=Phase.TRIAL, action="5")
        return told.model_dump_json().encode()

    for seq in (0, 1, 4, 4, 5):
        ear.hear("spk", "event", event(seq))
    ear.hear("spk", "event", event(0, boot=BOOT[::-1]))
    ear.hear("spk", "event", event(1, boot=BOOT[::-1]))
    ear.hear("spk", "event", event(0, boot=BOOT[::-1]))
    assert ear.view.snapshot(NOW).events_lost == 2


def test_garbage_is_counted_and_changes_nothing(ear: Ear) -> None:
    ear.hear("spk", "state", state(Phase.TRIAL))
    ear.hear("spk", "state", b"\xff{")
    ear.hear("spk", "gate", b"whatever")
    assert ear.tally() == Tally(1)
    assert ear.view.snapshot(NOW).unreadable == 1


def test_memory_is_bounded_whatever_names_arrive() -> None:
    ear = Ear(limit=2000)
    told = inventory("pc-x86-64")
    tracemalloc.start()
    for number in range(6000):
        ear.hear(f"spk-{number}", "state", state(Phase.TRIAL))
        ear.hear(f"spk-{number}", "inventory", told)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    found = ear.view.snapshot(NOW)
    assert (found.devices, found.beyond_limit) == (2000, 8000)
    assert peak < 2000 * 1500
    assert sys.getsizeof(found) < 1000


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.sampled_from(["online", "state", "event", "gate", "inventory"]),
            st.one_of(st.binary(max_size=60), st.sampled_from([state(p) for p in Phase])),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_counts_always_add_up(said: list[tuple[str, Kind, bytes, bool]]) -> None:
    ear = Ear()
    for number, (device, kind, payload, retained) in enumerate(said):
        ear.hear(device, kind, payload, NOW + number * HOUR, retained=retained)
    found = ear.view.snapshot(NOW + 100 * HOUR)
    assert found.devices <= 2
    assert found.tally.executed <= found.tally.begun <= found.devices
    if found.release:
        assert sum(wave.tally.begun for wave in found.waves) == found.tally.begun
