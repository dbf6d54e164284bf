"""The guard: opens waves that did well, stops those that did not, and takes silence for failure."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota.rollout.guard import (
    Decision,
    Limits,
    Open,
    Pause,
    Tally,
    Wait,
    carried_out,
    decide,
    fault,
    first_wave,
)
from ota.rollout.rollout import BUCKETS, DEFAULT_WAVES, Rollout, default_waves

BEGIN = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
LIMITS = Limits()
GOOD = Tally(begun=1000, succeeded=1000)


def rollout(gate: bool = True) -> Rollout:
    return Rollout(
        device_class="orin-nano-jp6",
        release="2026.3",
        counter=9,
        waves=first_wave(BEGIN) if gate else default_waves(BEGIN),
        gated=gate,
        issued=BEGIN,
    )


def at(hours: float, tally: Tally, gate: bool = True) -> Decision:
    return decide(rollout(gate), tally, BEGIN + hours * HOUR)


@pytest.mark.parametrize(
    ("tally", "why"),
    [
        (Tally(1000, 990, failed=10), None),
        (Tally(1000, 949, failed=51), "51 of 1000 failed"),
        (Tally(1000, 990, silent=10), None),
        (Tally(1000, 989, silent=11), "11 of 1000 fell silent"),
        (Tally(1000, 989, silent=5, cancelled=6), "11 of 1000 fell silent"),
        (Tally(1000, 945, failed=46, silent=9), "55 of 1000 failed"),
        (Tally(60, 58, silent=2), None),
        (Tally(50, 47, silent=3), "3 of 50 fell silent"),
        (Tally(20, 15, failed=5), None),
        (Tally(20, 14, failed=3, silent=3), "6 of the first 20 failed"),
        (Tally(20, 14, silent=6), "6 of the first 20 fell silent"),
        (Tally(5, 2, failed=3), "3 of the first 5 failed"),
        (Tally(2, 0, failed=2), None),
        (Tally(), None),
    ],
)
def test_limits_of_errors_and_of_silence(tally: Tally, why: str | None) -> None:
    assert fault(tally, LIMITS) == why


def test_an_operator_who_allows_more_is_heeded_however_few_devices_there_are() -> None:
    city_without_power = Tally(20, 12, silent=8)
    assert fault(city_without_power, Limits(errors=0.5)) == "8 of the first 20 fell silent"
    assert fault(city_without_power, Limits(silent=0.5)) == "8 of the first 20 failed"
    assert fault(city_without_power, Limits(errors=0.5, silent=0.5)) is None
    assert fault(Tally(20, 12, failed=8), Limits(errors=0.5)) is None
    assert fault(Tally(20, 9, failed=11), Limits(errors=0.5)) == "11 of the first 20 failed"
    assert fault(Tally(20, 16, failed=4), Limits(errors=0.01)) is None  # one of few is no share


def test_devices_still_at_it_do_not_dilute_the_share() -> None:
    assert fault(Tally(begun=100_000, succeeded=90, failed=10), LIMITS) == "10 of 100 failed"


def test_the_next_wave_waits_until_silence_would_have_shown() -> None:
    assert isinstance(at(13.9, GOOD), Wait)
    assert at(14, GOOD) == Open(20)


def test_the_next_wave_waits_for_devices_that_wait_for_the_night() -> None:
    assert at(14, Tally(begun=100, succeeded=60)) == Wait("40 of 100 are still at it")
    assert at(14, Tally(begun=100, succeeded=90)) == Open(20)


def test_a_wave_without_devices_holds_nobody_back() -> None:
    assert at(14, Tally()) == Open(20)


def test_a_wave_is_not_opened_before_the_plan_however_good_it_looks() -> None:
    watched = rollout().model_copy(update={"waves": default_waves(BEGIN)[:5]})
    assert isinstance(decide(watched, GOOD, BEGIN + 95 * HOUR), Wait)
    assert decide(watched, GOOD, BEGIN + 96 * HOUR) == Open(round(0.60 * BUCKETS))


def test_a_roll_out_with_all_its_waves_is_only_ever_paused() -> None:
    assert at(100, GOOD, gate=False) == Wait("its waves are all signed")
    assert isinstance(at(1, Tally(100, 80, failed=20), gate=False), Pause)


def test_a_roll_out_that_somebody_limited_is_not_widened() -> None:
    """As ``--wave 5:0``, and as one that happens to begin like the guard's own plan."""
    for waves in (default_waves(BEGIN)[2:3], default_waves(BEGIN)[:2]):
        limited = rollout(gate=False).model_copy(update={"waves": waves})
        assert decide(limited, GOOD, BEGIN + 72 * HOUR) == Wait("its waves are all signed")
        assert isinstance(decide(limited, Tally(100, 80, failed=20), BEGIN), Pause)


def test_a_roll_out_signed_before_there_was_such_a_word_is_not_widened() -> None:
    older = rollout().model_dump_json(exclude={"gated"}).encode()
    read = Rollout.parse(older, "orin-nano-jp6")
    assert decide(read, GOOD, BEGIN + 72 * HOUR) == Wait("its waves are all signed")


def test_a_gated_roll_out_whose_last_wave_is_open_has_nothing_left_to_open() -> None:
    whole = rollout().model_copy(update={"waves": default_waves(BEGIN)})
    assert decide(whole, GOOD, BEGIN + 300 * HOUR) == Wait("every wave is open")


def test_a_roll_out_paced_by_the_control_plane_is_paused_as_well() -> None:
    unpaced = rollout().model_copy(update={"waves": ()})
    assert decide(unpaced, Tally(100, 80, failed=20), BEGIN) == Pause("20 of 100 failed")
    assert decide(unpaced, GOOD, BEGIN) == Wait("paced by the control plane")


def test_a_pause_is_signed_anew_and_stays() -> None:
    stopped = carried_out(rollout(), Pause("bad"), BEGIN + HOUR)
    assert stopped.paused
    assert stopped.issued == BEGIN + HOUR
    assert decide(stopped, GOOD, BEGIN + 99 * HOUR) == Wait("paused")


def test_waiting_changes_nothing() -> None:
    before = rollout()
    assert carried_out(before, Wait("x"), BEGIN) is before


TALLIES = st.builds(
    lambda ok, bad, silent, pending: Tally(ok + bad + silent + pending, ok, bad, silent),
    *(st.integers(0, 3000) for _ in range(4)),
)


@given(st.lists(TALLIES, max_size=300))
def test_whatever_devices_do_waves_only_grow_in_order_and_never_after_a_pause(
    tallies: list[Tally],
) -> None:
    now, current = BEGIN, rollout()
    for tally in tallies:
        now += HOUR
        after = carried_out(current, decide(current, tally, now), now)
        after = Rollout.model_validate(after.model_dump())  # what is published can be read
        assert after.waves[: len(current.waves)] == current.waves
        assert not (current.paused and after != current)
        if len(after.waves) > len(current.waves):
            assert after.waves[-1].start - current.waves[-1].start >= LIMITS.settle
            assert fault(tally, LIMITS) is None
        current = after


def test_a_good_release_reaches_everybody_by_the_plan() -> None:
    now, current = BEGIN, rollout()
    while current.waves[-1].until_bucket < BUCKETS:
        now += HOUR
        current = carried_out(current, decide(current, GOOD, now), now)
    assert now - BEGIN == DEFAULT_WAVES[-1][1]
