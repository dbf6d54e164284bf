"""Python-tuf's updater, on files that survive a power cut and above a floor.

It overrides a few private methods of python-tuf 7; a test holds their names. What is decided about
metadata stays python-tuf's, only made stricter.
"""

from __future__ import annotations

import contextlib
import os
from datetime import datetime
from pathlib import Path

from tuf.api.exceptions import BadVersionNumberError, LengthOrHashMismatchError
from tuf.api.metadata import TargetFile
from tuf.ngclient import FetcherInterface, Updater

from ota.storage import Storage, replace_file
from ota.trust.floor import Floor, Online, Seen

ONLINE: tuple[Online, ...] = ("timestamp", "snapshot")


class DurableUpdater(Updater):
    """One poll of a repository: ``refresh``, then target infos and small targets.

    Raises what ``Updater`` raises; a version below the floor is a ``BadVersionNumberError``.
    """

    def __init__(
        self,
        directory: Path,
        metadata_url: str,
        targets_url: str,
        fetcher: FetcherInterface,
        disk: Storage,
        *,
        bootstrap: bytes,
        reference: datetime,
        floor: Floor,
    ) -> None:
        """
        Args:
            directory: exists; holds ``root.json``, ``timestamp.json`` and so on.
            bootstrap: the factory's root metadata. Never a cached one: a cut may have eaten that.
            reference: the time to judge expiry by.
        """
        self._disk, self._floor = disk, floor
        self.asked = "root"
        """The role that was asked for last: where a refusal happened."""
        super().__init__(
            str(directory),
            metadata_url,
            target_base_url=targets_url,
            fetcher=fetcher,
            bootstrap=bootstrap,
        )
        self._trusted_set.reference_time = reference

    def refresh(self) -> None:
        """As python-tuf's; metadata found on disk has to stand on the floor, too."""
        super().refresh()
        for role in ONLINE:
            self._stand(role)

    def seen(self) -> tuple[int, dict[Online, Seen]]:
        """What the last refresh verified: root version, and the online roles."""
        return self._trusted_set.root.version, {role: self._seen(role) for role in ONLINE}

    def target_bytes(self, info: TargetFile, limit: int) -> bytes:
        """A target's verified bytes, of which there must be no more than ``limit``."""
        self.asked = info.path
        if info.length > limit:
            raise LengthOrHashMismatchError(f"{info.length} bytes, {limit} are allowed")
        path = info.path
        if self._trusted_set.root.consistent_snapshot:
            path = info.get_prefixed_paths()[0]
        data = self._fetcher.download_bytes(f"{self._target_base_url}{path}", info.length)
        info.verify_length_and_hashes(data)
        return data

    def _seen(self, role: str) -> Seen:
        version = self._trusted_set[role].version
        return Seen(version=version, keyids=tuple(self._trusted_set.root.roles[role].keyids))

    def _stand(self, role: str) -> None:
        seen = self._seen(role)
        if problem := self._floor.refusal(role, seen.version, seen.keyids):
            self.asked = role
            raise BadVersionNumberError(problem)

    def _load_root(self) -> None:
        super()._load_root()
        self._stand("root")

    def _download_metadata(self, rolename: str, length: int, version: int | None = None) -> bytes:
        self.asked = rolename
        return super()._download_metadata(rolename, length, version)

    def _persist_metadata(self, rolename: str, data: bytes) -> None:
        if rolename in ONLINE:
            self._stand(rolename)  # before it replaces what is kept
        super()._persist_metadata(rolename, data)

    def _persist_root(self, version: int, data: bytes) -> None:
        history = Path(self._dir, "root_history")
        if not history.is_dir():
            self._disk.make_directory(history)
            self._disk.sync_directory(Path(self._dir))
        super()._persist_root(version, data)

    def _persist_file(self, filename: str, data: bytes) -> None:
        path = Path(filename)
        with contextlib.suppress(FileNotFoundError):
            if path.read_bytes() == data:
                return  # flash wears
        replace_file(self._disk, path, data)

    def _update_root_symlink(self) -> None:
        """Point ``root.json`` at the newest root in one step; there is always one."""
        link = Path(self._dir, "root.json")
        target = f"root_history/{self._trusted_set.root.version}.root.json"
        with contextlib.suppress(OSError):
            if os.readlink(link) == target:
                return
        draft = link.with_name(".draft-root.json")
        self._disk.remove(draft)
        self._disk.link(target, draft)
        self._disk.rename(draft, link)
        self._disk.sync_directory(link.parent)
