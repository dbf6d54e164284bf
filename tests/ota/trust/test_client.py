"""The client from poll to poll: what it keeps, what it asks for, and who else may be at it."""

from __future__ import annotations

import contextlib
import fcntl
import inspect
import itertools
from datetime import timedelta
from pathlib import Path

import pytest
from tuf.ngclient import Updater

from ota.errors import OtaError, Reason
from ota.trust.updater import DurableUpdater
from tests.support.crash_disk import CrashDisk, PowerCut
from tests.support.update_repository import A, B, Device, UpdateRepository

TARGET = f"models/{A}/1.0/release.json"


@pytest.fixture
def repository() -> UpdateRepository:
    found = UpdateRepository()
    found.release(A, "1.0", 1)
    found.rollout(A, "1.0", 1)
    found.publish(A, "rollout")
    return found


def test_a_poll_without_news_asks_for_two_files(
    repository: UpdateRepository, tmp_path: Path
) -> None:
    device = Device(tmp_path, repository)
    trust = device.poll()
    release, rollout = trust.release(TARGET), trust.rollout(A)
    assert rollout is not None
    assert (release.target, rollout.target) == (TARGET, TARGET)
    device.fetcher.asked.clear()
    trust = device.poll()
    assert (trust.release(TARGET), trust.rollout(A)) == (release, rollout)
    assert device.fetcher.asked == ["metadata/2.root.json", "metadata/timestamp.json"]


def test_a_poll_without_news_writes_nothing(repository: UpdateRepository, tmp_path: Path) -> None:
    device = Device(tmp_path, repository)
    device.poll().release(TARGET)
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    device.poll().release(TARGET)
    assert {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*.json")} == before


def test_a_damaged_kept_copy_is_fetched_again(repository: UpdateRepository, tmp_path: Path) -> None:
    device = Device(tmp_path, repository)
    device.poll().release(TARGET)
    (tmp_path / "kept" / "release.json").write_bytes(b"{}")
    assert device.poll().release(TARGET).counter == 1


def test_no_rollout_and_no_release_are_told_apart(
    repository: UpdateRepository, tmp_path: Path
) -> None:
    trust = Device(tmp_path, repository).poll()
    assert trust.rollout(B) is None
    with pytest.raises(OtaError) as caught:
        trust.release(f"models/{B}/1.0/release.json")
    assert caught.value.reason is Reason.UNTRUSTED


def test_nothing_is_believed_before_a_refresh_or_after_one_that_failed(
    repository: UpdateRepository, tmp_path: Path
) -> None:
    device = Device(tmp_path, repository)
    with pytest.raises(OtaError, match="refresh first"):
        device.trust().release(TARGET)
    trust = device.poll()
    repository.now += timedelta(days=2)
    with pytest.raises(OtaError):
        trust.refresh()
    with pytest.raises(OtaError, match="refresh first"):
        trust.release(TARGET)


def test_a_file_that_is_not_there_is_the_servers_refusal(
    repository: UpdateRepository, tmp_path: Path
) -> None:
    device = Device(tmp_path, repository)
    del repository.served["metadata/timestamp.json"]
    with pytest.raises(OtaError, match="404") as caught:
        device.poll()
    assert caught.value.reason is Reason.REFUSED


def test_a_second_process_is_sent_away(repository: UpdateRepository, tmp_path: Path) -> None:
    device = Device(tmp_path, repository)
    device.poll()
    with (tmp_path / "kept" / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OtaError, match="another updater") as caught:
            device.poll()
    assert caught.value.reason is Reason.DISK
    device.poll()


def test_a_root_link_that_is_gone_or_leads_nowhere_heals(
    repository: UpdateRepository, tmp_path: Path
) -> None:
    device = Device(tmp_path, repository)
    device.poll()
    link = tmp_path / "root.json"
    for spoil in (
        link.unlink,
        lambda: (tmp_path / "root_history" / "1.root.json").write_bytes(b""),
    ):
        spoil()
        device.poll()
        assert device.versions()["root"] == 1


def test_power_may_be_cut_at_any_step_of_a_poll(
    repository: UpdateRepository, tmp_path: Path
) -> None:
    """In whatever state the disk is found: the device updates, and not back to what it had left."""
    cut_everywhere(repository, tmp_path)


def test_a_disk_that_does_not_sync_would_be_noticed(
    repository: UpdateRepository, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError):
        cut_everywhere(repository, tmp_path, lying=True)


def cut_everywhere(repository: UpdateRepository, tmp_path: Path, *, lying: bool = False) -> None:
    """Cut every operation of a poll that brings a new root, and try every subset of what was not
    synced then, half a file among them. A lying disk is only cut after the poll.
    """
    old = dict(repository.honest)
    repository.rotate("root")
    repository.publish(A, "rollout")
    trees = (tmp_path / f"after-{number}" for number in itertools.count())
    for cut_at in itertools.count(10**6 if lying else 1):
        disk = CrashDisk(tmp_path / f"{cut_at}", torn=True, lying=lying)
        disk.root.mkdir()
        device = Device(disk.root, repository, disk=disk)
        repository.served = old
        device.poll()
        repository.serve()
        disk.settle()
        disk.cut_at = cut_at
        finished = False
        with contextlib.suppress(PowerCut):
            device.poll().release(TARGET)
            finished = True
        # A lying disk leaves too many trees to try; the first has nothing of what was not synced.
        found = disk.aftermaths(lambda: _made(next(trees)))
        for tree in itertools.islice(found, 1 if lying else None):
            _survives(Device(tree, repository), old, finished)
        if finished:
            return


def _survives(device: Device, old: dict[str, object], finished: bool) -> None:
    moved_on = device.trust().floor().root == 2
    assert moved_on or not finished
    if moved_on:
        device.repository.served = dict(old)
        with pytest.raises(OtaError):
            device.poll()
        device.repository.serve()
    assert device.poll().release(TARGET).counter == 1
    assert device.versions()["root"] == 2


def _made(path: Path) -> Path:
    path.mkdir()
    return path


def test_the_library_still_has_what_is_overridden() -> None:
    """Private methods of python-tuf: without them it would fall back to its own, unsynced."""
    for name in vars(DurableUpdater):
        ours = name in ("refresh", "__init__", "seen", "target_bytes", "_seen", "_stand")
        if inspect.isfunction(vars(DurableUpdater)[name]) and not ours:
            assert name in vars(Updater), name
            assert inspect.signature(vars(Updater)[name]).parameters.keys() == (
                inspect.signature(vars(DurableUpdater)[name]).parameters.keys()
            )
