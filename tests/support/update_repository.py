"""An update server in memory: real python-tuf metadata in a dict, behind the fetcher interface.

It is written apart from ``ota.repository`` so that publisher and client are not proved by the same
misunderstanding. ``honest`` is what the publisher signed; ``served`` is what devices get, and what
an attacker may change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import DownloadHTTPError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer
from tuf.ngclient import FetcherInterface

from ota.layout import Addresses
from ota.storage import Storage
from ota.trust.client import Trust

BASE = "memory://updates/"
BUILT = datetime(2026, 1, 1, tzinfo=timezone.utc)
START = datetime(2026, 3, 1, tzinfo=timezone.utc)
LIFE = {"root": 365, "targets": 180, "snapshot": 7, "timestamp": 1, "rollout": 7}
A, B = "orin-nano-jp6", "pc-x86-64"


class MemoryFetcher(FetcherInterface):
    """Serves a repository's ``served``; counts what was asked for."""

    def __init__(self, repository: UpdateRepository) -> None:
        self.repository = repository
        self.asked: list[str] = []

    @property
    def date(self) -> datetime | None:
        return self.repository.server_clock

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = url.removeprefix(BASE)
        self.asked.append(path)
        found = self.repository.served.get(path)
        if found is None:
            raise DownloadHTTPError("404", 404)
        return iter([found] if isinstance(found, bytes) else found)


class UpdateRepository:
    """Two device classes, 2-of-3 root, 2-of-2 release signers, one online key."""

    def __init__(self) -> None:
        self.now = START
        self.server_clock: datetime | None = None
        self.signers: dict[str, list[CryptoSigner]] = {
            "root": _signers(3), "targets": _signers(2), "rollout": _signers(1),
            "snapshot": _signers(1), "timestamp": _signers(1), A: _signers(2), B: _signers(2),
        }  # fmt: skip
        self.thresholds = {"root": 2, "targets": 2, A: 2, B: 2}
        self.extra_root_signers: list[CryptoSigner] = []
        self.signed: dict[str, Any] = {}
        self.honest: dict[str, Any] = {}
        self.served: dict[str, Any] = {}
        self._found()

    @property
    def bootstrap(self) -> bytes:
        return bytes(self.honest["metadata/1.root.json"])

    def release(self, device_class: str, name: str, counter: int, **changes: Any) -> str:
        """Add a release to its class's targets; signed and served at the next ``publish``."""
        content = f"manifest of {device_class} {name}".encode()
        document = {
            "format": 1, "device_class": device_class, "release": name, "counter": counter,
            "contents": [{"file": "manifest.json", "bytes": len(content),
                          "sha256": hashlib.sha256(content).hexdigest()}],
            **changes,
        }  # fmt: skip
        path = f"models/{device_class}/{name}/release.json"
        custom = {"counter": document["counter"], "compat": document.get("compat", {})}
        self.add_target(device_class, path, json.dumps(document).encode(), custom)
        return path

    def rollout(self, device_class: str, name: str, counter: int, **changes: Any) -> None:
        document = {
            "device_class": device_class, "release": name, "counter": counter,
            "issued": self.now.isoformat(), **changes,
        }  # fmt: skip
        self.add_target("rollout", f"rollout/{device_class}.json", json.dumps(document).encode())

    def add_target(
        self, role: str, path: str, data: bytes, custom: dict[str, Any] | None = None
    ) -> None:
        info = TargetFile.from_data(path, data, ["sha256"])
        if custom is not None:
            info.unrecognized_fields["custom"] = custom
        self.signed[role].targets[path] = info
        self.honest["targets/" + info.get_prefixed_paths()[0]] = data

    def publish(self, *roles: str) -> None:
        """Sign new versions of these roles, of snapshot and timestamp, and serve them."""
        for role in roles:
            self.signed[role].version += 1
            self.sign(role)
        self.sign_online()
        self.serve()

    def sign_online(self) -> None:
        snapshot, timestamp = self.signed["snapshot"], self.signed["timestamp"]
        for role in ("targets", "rollout", A, B):
            snapshot.meta[f"{role}.json"] = MetaFile(self.signed[role].version)
        snapshot.version += 1
        timestamp.version += 1
        timestamp.snapshot_meta = MetaFile(snapshot.version)
        self.sign("snapshot")
        self.sign("timestamp")

    def sign(self, role: str, signers: Iterable[CryptoSigner] | None = None) -> None:
        """Write a role's file, valid from now on, signed by its own signers or by others."""
        signed = self.signed[role]
        signed.expires = self.now + timedelta(days=LIFE.get(role, 90))
        metadata = Metadata(signed)
        extra = self.extra_root_signers if role == "root" else []
        for signer in [*self.signers[role], *extra] if signers is None else signers:
            metadata.sign(signer, append=True)
        name = role if role == "timestamp" else f"{signed.version}.{role}"
        self.honest[f"metadata/{name}.json"] = metadata.to_bytes(JSONSerializer(compact=True))

    def serve(self) -> None:
        """Serve what is honest, and that alone."""
        self.served = dict(self.honest)

    def rotate(self, *roles: str) -> None:
        """New keys for top roles, in one new root that the old root keys sign, too."""
        root: Root = self.signed["root"]
        self.extra_root_signers = self.signers["root"]
        for role in roles:
            for old in self.signers[role]:
                root.revoke_key(old.public_key.keyid, role)
            self.signers[role] = _signers(len(self.signers[role]))
            for new in self.signers[role]:
                root.add_key(new.public_key, role)
        root.version += 1
        self.sign("root")
        self.extra_root_signers = []

    def _found(self) -> None:
        root = Root(consistent_snapshot=True)
        for role in ("root", "targets", "snapshot", "timestamp"):
            for signer in self.signers[role]:
                root.add_key(signer.public_key, role)
            root.roles[role].threshold = self.thresholds.get(role, 1)
        targets = Targets(delegations=Delegations({}, {}))
        for role, pattern in ((A, f"models/{A}/*/*"), (B, f"models/{B}/*/*"),
                              ("rollout", "rollout/*.json")):  # fmt: skip
            threshold = self.thresholds.get(role, 1)
            targets.delegations.roles[role] = DelegatedRole(  # type: ignore[union-attr,index]
                role, [], threshold, terminating=True, paths=[pattern]
            )
            for signer in self.signers[role]:
                targets.add_key(signer.public_key, role)
        self.signed = {
            "root": root, "targets": targets, "snapshot": Snapshot(), "timestamp": Timestamp(),
            "rollout": Targets(), A: Targets(), B: Targets(),
        }  # fmt: skip
        self.signed["snapshot"].version = self.signed["timestamp"].version = 0  # the next is 1
        for role in ("root", "targets", "rollout", A, B):
            self.sign(role)
        self.sign_online()
        self.serve()


@dataclass
class Device:
    """A device's disk and clock before one repository."""

    directory: Path
    repository: UpdateRepository
    bootstrap: bytes = b""
    clock_off: timedelta = timedelta()
    disk: Storage | None = None
    fetcher: MemoryFetcher = field(init=False)

    def __post_init__(self) -> None:
        self.fetcher = MemoryFetcher(self.repository)
        self.bootstrap = self.bootstrap or self.repository.bootstrap

    def trust(self) -> Trust:
        """The client after a restart: it knows what is on disk."""
        return Trust(
            self.directory,
            self.bootstrap,
            Addresses.under(BASE),
            built=BUILT,
            fetcher=self.fetcher,
            now=lambda: self.repository.now + self.clock_off,
            disk=self.disk,
        )

    def poll(self) -> Trust:
        trust = self.trust()
        trust.refresh()
        return trust

    def versions(self) -> dict[str, int]:
        """What is kept: the version of every role's metadata on disk."""
        found = {}
        for path in self.directory.glob("*.json"):
            metadata: Metadata[Any] = Metadata.from_file(str(path))
            found[path.stem] = metadata.signed.version
        return found


def _signers(count: int) -> list[CryptoSigner]:
    return [CryptoSigner.generate_ed25519() for _ in range(count)]
