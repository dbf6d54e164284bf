"""How often one device may be commanded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.home.rate_limit import MAX_KEYS, RateLimit


def test_ten_at_once_then_one_a_second() -> None:
    limit = RateLimit(burst=10, per_s=10.0)
    assert [limit.admit("lamp", 0.0) for _ in range(11)] == [True] * 10 + [False]
    assert not limit.admit("lamp", 0.9)
    assert limit.admit("lamp", 1.0)
    assert not limit.admit("lamp", 1.1)


def test_every_device_has_its_own() -> None:
    limit = RateLimit(burst=1, per_s=10.0)
    assert limit.admit("lamp", 0.0)
    assert limit.admit("fan", 0.0)
    assert not limit.admit("lamp", 0.0)


@given(st.lists(st.floats(0, 3), max_size=200))
def test_no_ten_seconds_ever_see_more_than_two_bursts(pauses: list[float]) -> None:
    limit, now_s, sent = RateLimit(burst=10, per_s=10.0), 0.0, []
    for pause in pauses:
        now_s += pause
        if limit.admit("lamp", now_s):
            sent.append(now_s)
    for start in sent:
        assert sum(start <= at < start + 10 for at in sent) <= 20


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    limit = RateLimit(burst=1, per_s=1.0)
    assert limit.admit("lamp", 5.0)
    assert not limit.admit("lamp", 4.0)


def test_memory_stays_bounded_over_ever_new_devices() -> None:
    limit = RateLimit()
    for number in range(3 * MAX_KEYS):
        limit.admit(f"lamp {number}", float(number))
    assert len(limit._buckets) <= MAX_KEYS + 1


@pytest.mark.parametrize(("burst", "per_s"), [(0, 1.0), (1, 0.0), (1, -1.0)])
def test_a_limit_of_nothing_is_refused(burst: int, per_s: float) -> None:
    with pytest.raises(ValueError, match="at least one command"):
        RateLimit(burst, per_s)
