"""Local times on the nights when clocks change."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.home.alarms import next_due
from services.home.clock import Moment, instant, local_time, local_zone, system_clocks

BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # its summer time is half an hour


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize(
    ("zone", "local", "comes"),
    [
        (BERLIN, "2026-07-01 07:00", "2026-07-01 05:00"),
        (BERLIN, "2026-03-29 01:59", "2026-03-29 00:59"),
        (BERLIN, "2026-03-29 02:00", "2026-03-29 01:00"),
        (BERLIN, "2026-03-29 02:30", "2026-03-29 01:00"),
        (BERLIN, "2026-03-29 03:00", "2026-03-29 01:00"),
        (BERLIN, "2026-10-25 02:30", "2026-10-25 00:30"),
        (BERLIN, "2026-10-25 03:00", "2026-10-25 02:00"),
        (LORD_HOWE, "2026-10-04 02:10", "2026-10-03 15:30"),
        (timezone.utc, "2026-03-29 02:30", "2026-03-29 02:30"),
    ],
)
def test_a_time_left_out_comes_after_the_gap_and_a_doubled_one_the_first_time(
    zone: timezone | ZoneInfo, local: str, comes: str
) -> None:
    assert instant(datetime.fromisoformat(local), zone) == utc(comes)


@given(
    st.integers(int(utc("2026-01-01 00:00")), int(utc("2027-01-01 00:00"))),
    st.integers(0, 23),
    st.integers(0, 59),
    st.sets(st.integers(0, 6)),
    st.sampled_from([BERLIN, LORD_HOWE, ZoneInfo("America/New_York"), timezone.utc]),
)
def test_the_next_time_is_ahead_within_a_week_and_on_a_chosen_day(
    now_s: int, hour: int, minute: int, days: set[int], zone: timezone | ZoneInfo
) -> None:
    due = next_due(now_s, zone, f"{hour}:{minute:02}", tuple(sorted(days)))
    assert (due.hour, due.minute) == (hour, minute)
    assert now_s < instant(due, zone)
    assert due - local_time(now_s, zone) <= timedelta(days=7 if days else 1, hours=1)
    assert not days or due.weekday() in days


def test_a_wall_clock_from_before_this_program_is_not_set() -> None:
    assert not Moment(5.0, 0.0).wall_is_set
    assert Moment(5.0, utc("2026-01-01 00:00")).wall_is_set


def test_the_machine_has_two_clocks_a_zone_and_a_boot() -> None:
    clocks = system_clocks()
    before, after = clocks.moment(), clocks.moment()
    assert before.clock_s <= after.clock_s
    assert clocks.local().tzinfo is None


def test_the_zone_of_the_environment_counts_and_a_wrong_one_is_utc(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    assert local_zone() == BERLIN
    monkeypatch.setenv("TZ", "Nowhere/At_All")
    assert local_zone() is timezone.utc
