"""Waiting for a quiet moment, and how long anybody may ask to wait."""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota.deferral import MOST_DEFERRED_S, Box, Deferral, Hours, wait_for
from ota.rollout.source import Install

ZONE = timezone(timedelta(hours=2))
NIGHT = datetime(2026, 3, 1, 3, 0, tzinfo=ZONE)
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=ZONE)
QUIET = Box(speaking=False, quiet_s=3600)


def why(
    box: Box = QUIET,
    local: datetime = NIGHT,
    install: Install = "quiet",
    deferral: Deferral | None = None,
    locked_since: float | None = None,
) -> str | None:
    return wait_for(
        box,
        install=install,
        hours=Hours(),
        local=local,
        deferral=deferral or Deferral(),
        locked_since=locked_since,
    )


def test_a_quiet_box_at_night_is_updated() -> None:
    assert why() is None


@pytest.mark.parametrize(
    ("box", "says"),
    [
        (Box(speaking=True, quiet_s=0), "turn"),
        (Box(speaking=False, quiet_s=59), "spoke"),
        (Box(speaking=False, quiet_s=600, due_s=599), "timer"),
    ],
)
def test_a_box_in_use_waits(box: Box, says: str) -> None:
    reason = why(box)
    assert reason is not None
    assert says in reason


def test_by_day_it_waits_for_the_night_and_says_so() -> None:
    assert why(local=NOON) == "waits for 02:00 to 05:00"


def test_now_waits_for_the_end_of_the_turn_and_nothing_else() -> None:
    asked = Deferral().asked(NOON.timestamp(), 3600, "guests")
    assert why(Box(False, 0, 1), NOON, "now", asked, locked_since=NOON.timestamp()) is None
    assert why(Box(True, 0), NOON, "now") == "a turn goes on"


@pytest.mark.parametrize(
    ("begin", "end", "hour", "held"),
    [(2, 5, 2, True), (2, 5, 5, False), (22, 6, 23, True), (22, 6, 5, True), (22, 6, 12, False),
     (0, 0, 12, True)],
)  # fmt: skip
def test_hours_may_go_over_midnight_or_all_day(begin: int, end: int, hour: int, held: bool) -> None:
    assert Hours(time(begin), time(end)).hold(NIGHT.replace(hour=hour)) is held


def test_who_asks_to_wait_is_heard_and_named() -> None:
    asked = Deferral().asked(NIGHT.timestamp(), 600, "guests")
    assert why(deferral=asked) == "deferred: guests"
    assert why(deferral=asked, local=NIGHT + timedelta(minutes=11)) is None


def test_a_lock_file_holds_but_not_for_ever() -> None:
    since = NIGHT.timestamp()
    assert why(locked_since=since) == "the lock file is there"
    assert why(locked_since=since - MOST_DEFERRED_S) is None


@given(st.lists(st.tuples(st.floats(0, 10**6), st.floats(0, 10**7)), max_size=20))
def test_all_wishes_together_have_an_end(wishes: list[tuple[float, float]]) -> None:
    now, kept = 1e9, Deferral()
    for later, seconds in wishes:
        now += later
        try:
            kept = kept.asked(now, seconds, "again", "update 1")
        except ValueError:
            break
    first = 1e9 + (wishes[0][0] if wishes else 0)
    assert not kept.holds(first + MOST_DEFERRED_S)


def test_who_asks_after_the_week_is_told_that_it_is_spent() -> None:
    kept = Deferral().asked(1e9, 600, "guests", "update 1")
    with pytest.raises(ValueError, match="a week"):
        kept.asked(1e9 + MOST_DEFERRED_S, 600, "guests", "update 1")


def test_a_wish_of_weeks_ago_costs_the_next_update_nothing() -> None:
    """Somebody asked to wait when nothing waited, or with another update."""
    later = 1e9 + 3 * MOST_DEFERRED_S
    for before in ("", "update 1"):
        kept = Deferral().asked(1e9, 600, "guests", before)
        for now in ("", "update 2"):
            assert kept.asked(later, 600, "again", now).until == later + 600


def test_a_wish_from_before_the_update_is_not_cut_short_by_a_later_one() -> None:
    kept = Deferral().asked(1e9, 7200, "guests").asked(1e9 + 60, 600, "more", "update 1")
    assert kept.until == 1e9 + 7200


def test_a_clock_that_was_set_back_does_not_stretch_a_wish() -> None:
    asked = Deferral().asked(1e9, 600, "")
    assert not asked.holds(1e9 - 10)
