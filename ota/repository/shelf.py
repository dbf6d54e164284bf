"""A repository's metadata on disk: what is published, and what waits for signatures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Signed, Snapshot, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from ota.layout import CONTENT, METADATA, TARGETS
from ota.repository.errors import PublishError
from ota.storage import Disk, Storage, replace_file

MAX_BYTES = 5 * 10**6  # what python-tuf's client takes of a targets role

AnyMetadata = Metadata[Any]


class Shelf:
    """The directories of one repository."""

    def __init__(self, root: Path, disk: Storage | None = None) -> None:
        self.root, self.disk = root, disk or Disk()
        self.public = root / "public"
        self.staged = root / "staged"
        self.keys = root / "keys"
        self.metadata = self.public / METADATA
        self.targets = self.public / TARGETS
        self.content = self.public / CONTENT

    def make(self) -> None:
        """Create the directories."""
        for path in (self.metadata, self.targets, self.content, self.staged, self.keys):
            self.disk.make_directory(path)

    def current(self) -> dict[str, AnyMetadata]:
        """What clients see, by role; empty where nothing was published.

        Found as a client finds it, from the timestamp on: files of a publication that was cut off
        are not part of it.

        Raises:
            PublishError: a file is missing or damaged.
        """
        if not (self.metadata / "timestamp.json").exists():
            return {}
        timestamp: Metadata[Timestamp] = _read(self.metadata / "timestamp.json")
        version = timestamp.signed.snapshot_meta.version
        snapshot: Metadata[Snapshot] = _read(self.metadata / f"{version}.snapshot.json")
        found: dict[str, AnyMetadata] = {
            "root": self.newest_root(),
            "snapshot": snapshot,
            "timestamp": timestamp,
        }
        for name, meta in snapshot.signed.meta.items():
            found[name.removesuffix(".json")] = _read(self.metadata / f"{meta.version}.{name}")
        return found

    def newest_root(self) -> Metadata[Root]:
        """The newest published root. Raises PublishError."""
        versions = [
            int(path.name.split(".")[0])
            for path in self.metadata.glob("*.root.json")
            if path.name.split(".")[0].isdigit()
        ]
        if not versions:
            raise PublishError(f"{self.metadata}: no root; run linnet fleet init")
        return _read(self.metadata / f"{max(versions)}.root.json")

    def waiting(self) -> dict[str, AnyMetadata]:
        """Staged metadata by role. Raises PublishError."""
        return {path.stem: _read(path) for path in sorted(self.staged.glob("*.json"))}

    def stage(self, role: str, metadata: AnyMetadata) -> None:
        """Put metadata where signatures are gathered."""
        replace_file(self.disk, self.staged / f"{role}.json", _bytes(metadata))

    def unstage(self, roles: Iterable[str]) -> None:
        """Remove what is published, or not wanted any more."""
        for role in roles:
            self.disk.remove(self.staged / f"{role}.json")
        self.disk.sync_directory(self.staged)

    def publish(self, role: str, metadata: AnyMetadata) -> None:
        """Write one role's file where clients find it."""
        name = role if role == "timestamp" else f"{metadata.signed.version}.{role}"
        replace_file(self.disk, self.metadata / f"{name}.json", _bytes(metadata))

    def put_target(self, path: str, sha256: str, data: bytes) -> None:
        """Write a signed target's file under the name that clients ask for."""
        directory, _, name = path.rpartition("/")
        parent = self.targets / directory
        self.disk.make_directory(parent)
        replace_file(self.disk, parent / f"{sha256}.{name}", data)

    def target(self, path: str, sha256: str) -> bytes:
        """A published target's bytes. Raises PublishError."""
        directory, _, name = path.rpartition("/")
        where = self.targets / directory / f"{sha256}.{name}"
        try:
            return where.read_bytes()
        except OSError as error:
            raise PublishError(f"{where}: {error.strerror}") from error


def targets_of(signed: Signed) -> Targets:
    """What was signed, as targets. Raises PublishError."""
    if not isinstance(signed, Targets):
        raise PublishError(f"{signed.type} where targets should be")
    return signed


def root_of(signed: Signed) -> Root:
    """What was signed, as a root. Raises PublishError."""
    if not isinstance(signed, Root):
        raise PublishError(f"{signed.type} where a root should be")
    return signed


def _bytes(metadata: AnyMetadata) -> bytes:
    return metadata.to_bytes(JSONSerializer(compact=True))


def _read(path: Path) -> AnyMetadata:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise PublishError(f"{path}: larger than {MAX_BYTES} bytes")
        return Metadata.from_bytes(data)
    except OSError as error:
        raise PublishError(f"{path}: {error.strerror}") from error
    except RepositoryError as error:
        raise PublishError(f"{path}: not TUF metadata") from error
