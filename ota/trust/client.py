"""The chain of trust on a device: from the factory's root to a release that may be installed.

    trust = Trust(directory, bootstrap, Addresses.under("https://updates.example"), built=…)
    trust.refresh()                             # once each poll
    rollout = trust.rollout("pc-x86-64")
    release = trust.release(rollout.target)
    trust.accept(release, rollout)              # not below what was committed here
    …
    trust.committed(release)                    # once it has proved itself

Everything is refused by an ``OtaError``: TrustError where something must not be believed,
TransferError where nothing came, StoreError where the disk refuses. Nothing is ever skipped.
"""

from __future__ import annotations

import fcntl
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError
from tuf.api.exceptions import DownloadError, LengthOrHashMismatchError, RepositoryError
from tuf.api.metadata import TargetFile
from tuf.ngclient import FetcherInterface

from ota.errors import Reason, StoreError, TrustError
from ota.layout import Addresses
from ota.release import MAX_RELEASE_BYTES, Compat, Release, class_of
from ota.rollout.rollout import MAX_ROLLOUT_BYTES, Rollout, rollout_target
from ota.storage import Disk, Storage, disk_refusals, replace_file
from ota.trust import clock
from ota.trust.fetcher import BoundedFetcher
from ota.trust.floor import Floor, FloorFile, accept
from ota.trust.refusals import refusal
from ota.trust.updater import DurableUpdater

log = logging.getLogger(__name__)

OURS = "kept"
"""Directory beside the metadata: the floor, the lock, the newest release and roll-out files."""


class Trust:
    """One device's view of one repository. Not for two processes at once: a lock refuses that."""

    def __init__(
        self,
        directory: Path,
        bootstrap: bytes,
        addresses: Addresses,
        *,
        built: datetime | None = None,
        fetcher: FetcherInterface | None = None,
        now: Callable[[], datetime] = clock.utc_now,
        disk: Storage | None = None,
    ) -> None:
        """
        Args:
            directory: this device's metadata and floor; made when it is not there.
            bootstrap: the factory's root metadata, from where updates cannot write.
            built: when the image was built: no honest clock is earlier.
            fetcher: how files are fetched; over HTTP unless told otherwise. One that has a
                ``date`` says what the server's clock said.
            now: the clock, aware of its time zone.
        """
        self._directory, self._bootstrap, self._addresses = directory, bootstrap, addresses
        self._built, self._now, self._disk = built, now, disk or Disk()
        self._fetcher = fetcher or BoundedFetcher()
        self._floor = FloorFile(directory / OURS / "floor.json", self._disk)
        self._updater: DurableUpdater | None = None

    def refresh(self) -> None:
        """Fetch and verify the newest metadata.

        Raises:
            TrustError: UNTRUSTED or CLOCK.
            TransferError: nothing came, or too slowly.
            StoreError: the disk refuses, or another process is at it.
        """
        self._updater = None  # what was verified before may have expired by now
        with self._alone():
            floor, now = self._floor.read(), self._now()
            reference = clock.reference(now, self._built, floor.time)
            with self._refusals("root"):
                updater = DurableUpdater(
                    self._directory,
                    self._addresses.metadata,
                    self._addresses.targets,
                    self._fetcher,
                    self._disk,
                    bootstrap=self._bootstrap,
                    reference=reference,
                    floor=floor,
                )
            with self._refusals(updater):
                updater.refresh()
            self._floor.write(floor.raised(*updater.seen(), reference))
        self._updater = updater

    def release(self, target: str) -> Release:
        """The release that a target path names, if the class's signers signed it.

        Raises:
            TrustError: UNTRUSTED (nobody may sign or has signed it), WRONG_CONTENT, BAD_RELEASE.
            TransferError, StoreError: as ``refresh``.
        """
        if class_of(target) is None:
            raise TrustError(Reason.BAD_RELEASE, "an assignment that names no release")
        with self._alone():
            info = self.info(target)
            if info is None:
                raise TrustError(Reason.UNTRUSTED, f"{target}: its class has signed no such thing")
            data = self._fetched(info, MAX_RELEASE_BYTES, "release.json")
        release = Release.parse(data, target)
        if not _agrees(info, release):
            raise TrustError(
                Reason.BAD_RELEASE, f"{target}: signed for another counter or other devices"
            )
        return release

    def rollout(self, device_class: str) -> Rollout | None:
        """The signed roll-out of a class; None where there is none.

        Raises:
            TrustError: WRONG_CONTENT, BAD_RELEASE; CLOCK when it was signed in our future.
            TransferError, StoreError: as ``refresh``.
        """
        with self._alone():
            info = self.info(rollout_target(device_class))
            if info is None:
                return None
            data = self._fetched(info, MAX_ROLLOUT_BYTES, "rollout.json")
        rollout = Rollout.parse(data, device_class)
        # Judged at each poll and not made a floor: a stolen online key could set it years ahead,
        # and a device that remembered would be stopped for that long.
        clock.reference(self._now(), rollout.issued)
        return rollout

    def accept(self, release: Release, rollout: Rollout | None = None) -> None:
        """Refuse a release older than one committed here, unless a signed roll-out goes back to it.

        Raises:
            TrustError: TOO_OLD.
        """
        allowed = None
        if rollout is not None and rollout.device_class == release.device_class:
            allowed = rollout.downgrade_to
        accept(release.counter, self.floor().releases.get(release.device_class, 0), allowed)

    def committed(self, release: Release) -> None:
        """Raise the floor to a release that has proved itself here. Durable on return."""
        with self._alone():
            floor = self._floor.read().committed(release.device_class, release.counter)
            self._floor.write(floor)

    def floor(self) -> Floor:
        """What this device will not go below."""
        with disk_refusals():
            return self._floor.read()

    def info(self, target: str) -> TargetFile | None:
        """What the metadata says of a target, delegated roles fetched as needed."""
        updater = self._ready()
        with self._refusals(updater):
            return updater.get_targetinfo(target)

    def target_bytes(self, info: TargetFile, limit: int) -> bytes:
        """A target's bytes, at most ``limit``, verified; WRONG_CONTENT if they are not those."""
        updater = self._ready()
        with self._refusals(updater, Reason.WRONG_CONTENT):
            return updater.target_bytes(info, limit)

    def holds(self, path: Path, info: TargetFile) -> bool:
        """Whether ``path`` is the target already."""
        try:
            with path.open("rb") as file:
                info.verify_length_and_hashes(file)
        except (OSError, LengthOrHashMismatchError):
            return False
        return True

    def _fetched(self, info: TargetFile, limit: int, name: str) -> bytes:
        """A small target, from the copy kept of it where that still is the one."""
        path = self._directory / OURS / name
        if self.holds(path, info):
            return path.read_bytes()
        data = self.target_bytes(info, limit)
        replace_file(self._disk, path, data)
        return data

    def _ready(self) -> DurableUpdater:
        if self._updater is None:
            raise TrustError(Reason.UNTRUSTED, "nothing was verified yet: refresh first")
        return self._updater

    @contextmanager
    def _refusals(
        self, where: DurableUpdater | str, mismatch: Reason = Reason.UNTRUSTED
    ) -> Iterator[None]:
        try:
            yield
        except (RepositoryError, DownloadError) as error:
            what = where if isinstance(where, str) else where.asked
            log.info("update metadata refused", extra={"what": what, "kind": type(error).__name__})
            witness = getattr(self._fetcher, "date", None)
            raise refusal(error, what, self._now(), witness, mismatch) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock; python-tuf's cache is for one process."""
        with disk_refusals():
            ours = self._directory / OURS
            if not ours.is_dir():
                self._disk.make_directory(ours)
                self._disk.sync_directory(self._directory)
            with (ours / ".lock").open("a") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise StoreError(
                        Reason.DISK, f"{self._directory}: another updater is at work here"
                    ) from error
                yield


def _agrees(info: TargetFile, release: Release) -> bool:
    """Whether what stands in the metadata, to be read before any download, is what was signed."""
    custom = info.custom or {}
    try:
        compat = Compat.model_validate_json(json.dumps(custom.get("compat")))
    except ValidationError:
        return False
    counter = custom.get("counter")
    return type(counter) is int and counter == release.counter and compat == release.compat
