"""What a device has committed and seen, it does not go below."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota.errors import OtaError, Reason
from ota.trust.floor import Floor, FloorFile, Seen, accept
from tests.support.update_repository import START, A, Device, UpdateRepository

COUNTERS = st.integers(1, 2**31 - 1)
KEYS = st.sets(st.sampled_from("abcdef"), min_size=1)


@given(counter=COUNTERS, floor=st.integers(0, 2**31 - 1), back=st.none() | COUNTERS)
def test_a_lower_counter_needs_a_signed_downgrade_to_exactly_it(
    counter: int, floor: int, back: int | None
) -> None:
    if counter >= floor or counter == back:
        accept(counter, floor, back)
    else:
        with pytest.raises(OtaError) as caught:
            accept(counter, floor, back)
        assert caught.value.reason is Reason.TOO_OLD


@given(old=KEYS, new=KEYS, before=COUNTERS, after=COUNTERS)
def test_only_keys_that_were_all_replaced_lift_a_roles_floor(
    old: set[str], new: set[str], before: int, after: int
) -> None:
    floor = Floor(roles={"timestamp": Seen(version=before, keyids=tuple(old))})
    refused = floor.refusal("timestamp", after, new) is not None
    assert refused == (after < before and not old.isdisjoint(new))
    assert floor.refusal("snapshot", after, new) is None


@given(committed=st.lists(COUNTERS, min_size=1))
def test_the_floor_of_releases_never_sinks(committed: list[int]) -> None:
    floor = Floor()
    for counter in committed:
        floor = floor.committed(A, counter)
    assert floor.releases == {A: max(committed)}


@pytest.fixture
def repository() -> UpdateRepository:
    found = UpdateRepository()
    found.release(A, "1.0", 1)
    found.release(A, "2.0", 2)
    found.rollout(A, "2.0", 2)
    found.publish(A, "rollout")
    return found


def test_a_committed_release_keeps_older_ones_out_until_a_rollout_goes_back(
    repository: UpdateRepository, tmp_path: Path
) -> None:
    device = Device(tmp_path, repository)
    trust = device.poll()
    old, new = (trust.release(f"models/{A}/{name}/release.json") for name in ("1.0", "2.0"))
    trust.accept(old)
    trust.committed(new)
    trust = device.poll()  # as after a restart
    trust.accept(new, trust.rollout(A))
    with pytest.raises(OtaError) as caught:
        trust.accept(old, trust.rollout(A))
    assert caught.value.reason is Reason.TOO_OLD
    repository.rollout(A, "1.0", 1, downgrade_to=1)
    repository.publish("rollout")
    trust = device.poll()
    trust.accept(old, trust.rollout(A))
    trust.committed(old)
    assert trust.floor().releases == {A: 2}


def test_a_damaged_floor_leaves_what_the_metadata_protect(
    repository: UpdateRepository, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    device = Device(tmp_path, repository)
    old = dict(repository.honest)
    repository.publish(A)
    device.poll()
    (tmp_path / "kept" / "floor.json").write_bytes(b"\x00" * 80)
    repository.served = old
    with pytest.raises(OtaError) as caught:
        device.poll()
    assert caught.value.reason is Reason.UNTRUSTED
    assert "floor is damaged" in caplog.text
    repository.serve()
    device.poll()
    assert device.trust().floor().root == 1


def test_time_alone_is_written_once_an_hour(tmp_path: Path) -> None:
    file = FloorFile(tmp_path / "floor.json")
    file.write(Floor(root=1, time=START))
    file.write(Floor(root=1, time=START + timedelta(minutes=59)))
    assert file.read().time == START
    file.write(Floor(root=1, time=START + timedelta(minutes=61)))
    assert file.read().time == START + timedelta(minutes=61)
    file.write(Floor(root=2, time=START + timedelta(minutes=62)))
    assert file.read().root == 2
