"""The one thing that is exported, signed, shipped, verified and run: a directory with a manifest.

``Bundle.open`` reads a bounded ``manifest.json``, then checks every file it lists: that it lies
inside the directory, is a plain file of the stated size, and has the stated SHA-256 (read in
blocks, never whole). Files that are not listed cannot be reached through a bundle. A bundle proves
integrity, not origin: signatures are the updater's matter.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from device.engine.contract import EngineSpec
from device.errors import (
    BadManifest,
    BundleError,
    MissingPart,
    RuntimeTooOld,
    WrongHash,
    WrongShape,
)
from device.manifest import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    Hardware,
    Manifest,
    ManifestHead,
    Part,
    Schedule,
    SelfTest,
    StoredFile,
)

__all__ = [
    "MANIFEST_NAME",
    "BadManifest",
    "Bundle",
    "BundleError",
    "BundlePart",
    "Hardware",
    "Manifest",
    "ManifestHead",
    "MissingPart",
    "Part",
    "RuntimeTooOld",
    "Schedule",
    "SelfTest",
    "StoredFile",
    "WrongHash",
    "WrongShape",
]

RUNTIME_VERSION = "0.1.0"  # compared with a bundle's minimum_runtime
BLOCK = 2**20
_FETCH = "fetch the bundle again"


@dataclass(frozen=True)
class BundlePart:
    """A verified graph: its path and what an engine must agree to."""

    name: str
    path: Path
    spec: EngineSpec


@dataclass(frozen=True)
class Bundle:
    """A bundle whose every file was verified; ``digest`` is its manifest's SHA-256, in hex."""

    root: Path
    manifest: Manifest
    digest: str

    @classmethod
    def open(cls, path: Path | str) -> Bundle:
        """Open and verify a bundle directory.

        Raises:
            BadManifest, MissingPart, WrongHash, RuntimeTooOld: see each; all are BundleError.
        """
        root = Path(path)
        data = _read_manifest(root)
        manifest = Manifest.parse(data, str(root / MANIFEST_NAME))
        if _release(manifest.minimum_runtime) > _release(RUNTIME_VERSION):
            raise RuntimeTooOld(
                str(root),
                f"needs Linnet {manifest.minimum_runtime}, this is {RUNTIME_VERSION}",
                "update Linnet first, or choose an older bundle",
            )
        for entry in manifest.stored():
            _verify(root, entry)
        return cls(root, manifest, hashlib.sha256(data).hexdigest())

    def part(self, name: str) -> BundlePart:
        """The graph called ``name``.

        Raises:
            MissingPart: the bundle has no such part.
        """
        part = self.manifest.parts.get(name)
        if part is None:
            raise self._lacks("part", name, self.manifest.parts)
        spec = EngineSpec(
            part=name,
            inputs=part.inputs,
            outputs=part.outputs,
            state=part.state,
            precision=part.precision,
            sha256=part.sha256,
            profile=part.profile,
        )
        return BundlePart(name, self.root / part.file, spec)

    def file(self, name: str) -> Path:
        """Path of the extra file called ``name``.

        Raises:
            MissingPart: the bundle has no such file.
        """
        entry = self.manifest.files.get(name)
        if entry is None:
            raise self._lacks("file", name, self.manifest.files)
        return self.root / entry.file

    def _lacks(self, kind: str, name: str, known: Mapping[str, object]) -> MissingPart:
        return MissingPart(
            str(self.root),
            f"has no {kind} {name!r}",
            f"use one of {sorted(known)} or another bundle",
        )


def _release(version: str) -> tuple[int, ...]:
    numbers = [int(piece) for piece in version.split(".")]
    return tuple(numbers + [0] * (4 - len(numbers)))


def _read_manifest(root: Path) -> bytes:
    where = root / MANIFEST_NAME
    try:
        with where.open("rb") as stream:
            return stream.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise BadManifest(str(where), problem, "give the directory of a bundle") from error


def _verify(root: Path, entry: StoredFile) -> None:
    """Check place, size and hash of one file."""
    where = root / entry.file
    try:
        if where.resolve(strict=True) != root.resolve(strict=True) / entry.file:
            raise BadManifest(str(where), "is reached through a link", _FETCH)
        # Non-blocking, so that a pipe put in a file's place cannot hold us.
        descriptor = os.open(where, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb", buffering=0) as stream:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise MissingPart(str(where), "is not a plain file", _FETCH)
            if found.st_size != entry.bytes:
                problem = f"has {found.st_size} bytes instead of {entry.bytes}"
                raise WrongHash(str(where), problem, _FETCH)
            digest = hashlib.sha256()
            while block := stream.read(BLOCK):
                digest.update(block)
    except OSError as error:
        raise MissingPart(str(where), f"cannot be read: {error.strerror}", _FETCH) from error
    if digest.hexdigest() != entry.sha256:
        raise WrongHash(str(where), "is not the file that the manifest lists", _FETCH)
