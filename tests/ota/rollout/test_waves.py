"""Signed waves: who may install when, and every reason for which a device still waits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota.phases import Phase
from ota.rollout.rollout import BUCKETS, Rollout, default_waves
from ota.rollout.source import Assignment, Report
from ota.rollout.waves import Standing, Waves, bucket, not_yet, open_buckets

BEGIN = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)
WEEK = timedelta(days=7)
ROLLOUT = Rollout(
    device_class="orin-nano-jp6",
    release="2026.3",
    counter=9,
    waves=default_waves(BEGIN),
    issued=BEGIN,
)
ASSIGNED = Assignment("5", ROLLOUT.target)
READY = Standing("spk-1", "2026.3", counter=9, floor=8, vouched=True, now=BEGIN + WEEK)


def device_in(low: int, high: int) -> str:
    """A device whose bucket for the release lies in [low, high)."""
    names = (f"spk-{number}" for number in range(100_000))
    return next(name for name in names if low <= bucket(name, "2026.3") < high)


def test_the_bucket_is_what_the_design_says() -> None:
    # sha256("spk-12026.3") begins with these four bytes, by sha256sum.
    assert bucket("spk-1", "2026.3") == 0x82C0F755 % BUCKETS


def test_buckets_are_even_over_devices() -> None:
    found = Counter(bucket(f"spk-{number}", "2026.3") * 8 // BUCKETS for number in range(8000))
    assert min(found.values()) > 850
    assert max(found.values()) < 1150


def test_the_next_release_begins_with_other_homes() -> None:
    first = [d for d in map("spk-{}".format, range(4000)) if bucket(d, "2026.3") < 100]
    again = [d for d in first if bucket(d, "2026.4") < 100]
    assert len(again) < len(first) / 4


@given(st.integers(0, BUCKETS - 1), st.integers(0, 8 * 24))
def test_a_bucket_is_open_exactly_from_its_time_on(place: int, hours: int) -> None:
    now = BEGIN + timedelta(hours=hours)
    start = next(wave.start for wave in ROLLOUT.waves if place < wave.until_bucket)
    assert (place < open_buckets(ROLLOUT, now)) == (start <= now)


def test_before_the_first_wave_nobody_installs_and_after_the_last_all_do() -> None:
    assert open_buckets(ROLLOUT, BEGIN - timedelta(seconds=1)) == 0
    assert open_buckets(ROLLOUT, BEGIN + WEEK) == BUCKETS


def test_a_device_for_which_all_holds_installs() -> None:
    assert not_yet(ASSIGNED, ROLLOUT, READY) is None


@pytest.mark.parametrize(
    ("why", "rollout", "standing"),
    [
        ("not vouched for", ROLLOUT, replace(READY, vouched=False)),
        ("too old", ROLLOUT, replace(READY, floor=10)),
        ("paused", ROLLOUT.model_copy(update={"paused": True}), READY),
        ("needs a newer Linnet", ROLLOUT, replace(READY, app_fits=False)),
        ("another release", ROLLOUT, replace(READY, release="2026.4", counter=10)),
        ("wave", ROLLOUT, replace(READY, now=BEGIN - timedelta(hours=1))),
    ],
)
def test_each_condition_holds_it_back(why: str, rollout: Rollout, standing: Standing) -> None:
    assert not_yet(ASSIGNED, rollout, standing) == why


def test_a_human_who_forces_it_passes_the_waves_and_nothing_else() -> None:
    forced = replace(ASSIGNED, forced=True)
    early = replace(READY, now=BEGIN - timedelta(hours=1))
    assert not_yet(forced, ROLLOUT, early) is None
    assert not_yet(forced, ROLLOUT.model_copy(update={"paused": True}), early) == "paused"
    assert not_yet(forced, ROLLOUT, replace(early, vouched=False)) == "not vouched for"
    assert not_yet(forced, ROLLOUT, replace(early, floor=10)) == "too old"


def test_a_signed_downgrade_opens_exactly_its_counter() -> None:
    back = ROLLOUT.model_copy(update={"downgrade_to": 9})
    assert not_yet(ASSIGNED, back, replace(READY, floor=12)) is None
    assert not_yet(ASSIGNED, back, replace(READY, counter=8, floor=12)) == "too old"


def test_without_waves_the_pace_is_left_to_who_assigned() -> None:
    unpaced = ROLLOUT.model_copy(update={"waves": ()})
    early = replace(READY, now=BEGIN - WEEK)
    assert not_yet(ASSIGNED, unpaced, early) is None
    assert not_yet(ASSIGNED, None, early) is None
    assert not_yet(ASSIGNED, None, replace(early, floor=10)) == "too old"


def source(rollout: Rollout | None, running: int | None, now: datetime, device: str) -> Waves:
    return Waves(device, lambda: rollout, lambda: running, lambda: now)


def test_a_device_is_assigned_the_release_when_its_wave_opens() -> None:
    late = device_in(1900, BUCKETS)
    assert source(ROLLOUT, 8, BEGIN + timedelta(days=5), late).poll() is None
    found = source(ROLLOUT, 8, BEGIN + timedelta(days=6), late).poll()
    assert found == Assignment("waves-9", "models/orin-nano-jp6/2026.3/release.json")
    first = device_in(0, 1)
    assert source(ROLLOUT, None, BEGIN, first).poll() == found


@pytest.mark.parametrize("running", [9, 10])
def test_a_device_that_runs_it_or_a_newer_one_has_nothing_to_do(running: int) -> None:
    assert source(ROLLOUT, running, BEGIN + WEEK, "spk-1").poll() is None


def test_a_signed_downgrade_calls_newer_devices_back() -> None:
    back = ROLLOUT.model_copy(update={"downgrade_to": 9})
    assert source(back, 10, BEGIN + WEEK, "spk-1").poll() is not None
    assert source(back, 9, BEGIN + WEEK, "spk-1").poll() is None


@pytest.mark.parametrize(
    "rollout",
    [None, ROLLOUT.model_copy(update={"paused": True}), ROLLOUT.model_copy(update={"waves": ()})],
)
def test_no_paused_or_unpaced_rollout_assigns_nothing(rollout: Rollout | None) -> None:
    waves = source(rollout, 8, BEGIN + WEEK, "spk-1")
    assert waves.poll() is None
    waves.report(Report("waves-9", Phase.COMMITTED))
