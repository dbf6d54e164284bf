"""A clock that cannot be right is said to be so; expiry is never skipped."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota.errors import OtaError, Reason, TrustError
from ota.trust.clock import SLACK, expired, reference
from tests.support.update_repository import BUILT, START, A, Device, UpdateRepository

MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(timezone.utc))


@pytest.fixture
def repository() -> UpdateRepository:
    found = UpdateRepository()
    found.release(A, "1.0", 1)
    found.rollout(A, "1.0", 1)
    found.publish(A, "rollout")
    return found


@given(now=MOMENTS, bounds=st.lists(MOMENTS, max_size=3))
def test_the_reference_is_never_before_what_has_certainly_passed(
    now: datetime, bounds: list[datetime]
) -> None:
    if bounds and now < max(bounds) - SLACK:
        with pytest.raises(TrustError) as caught:
            reference(now, None, *bounds)
        assert caught.value.reason is Reason.CLOCK
    else:
        assert reference(now, None, *bounds) == max([now, *bounds])


def test_a_clock_at_1970_is_refused_and_hides_no_freeze(
    repository: UpdateRepository, tmp_path: Path
) -> None:
    """Without a floor of time, a repository that expired a year ago would look valid."""
    repository.now = START + timedelta(days=399)
    device = Device(
        tmp_path, repository, clock_off=datetime(1970, 1, 1, tzinfo=timezone.utc) - repository.now
    )
    with pytest.raises(OtaError, match="the clock says 1970-01-01") as caught:
        device.poll()
    assert caught.value.reason is Reason.CLOCK
    assert device.fetcher.asked == []


def test_a_clock_behind_the_last_good_time_is_refused_however_new_the_image_is_not(
    repository: UpdateRepository, tmp_path: Path
) -> None:
    device = Device(tmp_path, repository)
    device.poll()
    device.clock_off = -timedelta(days=20)
    assert repository.now + device.clock_off > BUILT
    with pytest.raises(OtaError) as caught:
        device.poll()
    assert caught.value.reason is Reason.CLOCK
    device.clock_off = timedelta()
    device.poll()


def test_a_clock_a_few_hours_behind_judges_by_the_last_good_time(
    repository: UpdateRepository, tmp_path: Path
) -> None:
    """Stepping back within the slack neither stops updates nor prolongs a freeze."""
    device = Device(tmp_path, repository)
    repository.now += timedelta(hours=23)
    device.poll()
    device.clock_off = -timedelta(hours=20)
    device.poll()
    repository.now += timedelta(hours=2)  # the timestamp expired an hour ago, by an honest clock
    device.poll()
    device.clock_off = timedelta()
    with pytest.raises(OtaError) as caught:
        device.poll()
    assert caught.value.reason is Reason.UNTRUSTED


def test_a_clock_400_days_ahead_is_refused_and_told_from_a_freeze(
    repository: UpdateRepository, tmp_path: Path
) -> None:
    device = Device(tmp_path, repository, clock_off=timedelta(days=400))
    with pytest.raises(OtaError, match="expired") as caught:
        device.poll()
    assert caught.value.reason is Reason.UNTRUSTED  # nothing says that it is the clock
    repository.server_clock = repository.now
    with pytest.raises(OtaError, match="the server says 2026-03-01") as caught:
        device.poll()
    assert caught.value.reason is Reason.CLOCK
    assert device.trust().floor().time is None  # such a time is not remembered
    device.clock_off = timedelta()
    device.poll()


def test_a_servers_date_cannot_make_expired_metadata_valid() -> None:
    late = START + timedelta(days=30)
    for witness in (None, START, late, late + timedelta(days=400)):
        assert isinstance(expired("timestamp", late, witness), TrustError)


def test_a_rollout_signed_in_our_future_tells_of_a_clock_that_is_behind(
    repository: UpdateRepository, tmp_path: Path
) -> None:
    """And does so at each poll only: a stolen rollout key cannot stop a device for years."""
    device = Device(tmp_path, repository)
    repository.rollout(A, "1.0", 1, issued="2031-01-01T00:00:00+00:00")
    repository.publish("rollout")
    with pytest.raises(OtaError) as caught:
        device.poll().rollout(A)
    assert caught.value.reason is Reason.CLOCK
    repository.rollout(A, "1.0", 1)
    repository.publish("rollout")
    rollout = device.poll().rollout(A)
    assert rollout is not None
    assert rollout.issued == START
