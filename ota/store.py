"""Contents by their SHA-256: what generations are made of, and what downloads are for.

    store/<sha256>          whole, verified, read-only, never changed
    store/.part-<sha256>    a download or a copy under way; survives a restart
    store/wanted.json       hashes that an update under way needs

A content enters in one way: written as a part, made durable, verified, renamed. Generations are
hard links to contents, so what two releases share is kept once.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ota.errors import Reason, StoreError, TrustError
from ota.release import MAX_CONTENTS, Hash
from ota.storage import BLOCK, Disk, Storage, replace_file

MAX_WANTED = 2 * MAX_CONTENTS  # contents and their deltas
MAX_WANTED_BYTES = 2**16

_HASH = re.compile(r"[0-9a-f]{64}")
_PART = ".part-"
_WANTED = "wanted.json"


class Pinned(Protocol):
    """What is signed of a content: its size in bytes and its SHA-256 in hex."""

    @property
    def bytes(self) -> int: ...

    @property
    def sha256(self) -> str: ...


class _Wanted(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    wanted: tuple[Hash, ...] = Field(max_length=MAX_WANTED)


class Store:
    """The contents under ``root``, which is made when something is first put in.

    Disk faults raise ``OSError``; callers know what they were doing and name it.
    """

    def __init__(self, root: Path, storage: Storage | None = None) -> None:
        self.root = root
        self.disk = storage or Disk()

    def path(self, sha256: str) -> Path:
        """Where a content lies, once it is here."""
        return self.root / _checked(sha256)

    def part(self, sha256: str) -> Path:
        """Where a content is gathered until it is whole."""
        return self.root / f"{_PART}{_checked(sha256)}"

    def has(self, pinned: Pinned) -> bool:
        """Whether a content is here, by name and size; ``admit`` has judged its bytes."""
        return _size(self.path(pinned.sha256)) == pinned.bytes

    def gathered(self, sha256: str) -> int:
        """Bytes of a content that are in its part; 0 where there is none."""
        return _size(self.part(sha256)) or 0

    def append(self, sha256: str, data: bytes) -> None:
        """Add bytes to a content's part."""
        self.prepare()
        self.disk.append(self.part(sha256), data)

    def drop_part(self, sha256: str) -> None:
        """Forget what was gathered of a content."""
        self.disk.remove(self.part(sha256))

    def admit(self, pinned: Pinned) -> Path:
        """Turn a part into a content, durably.

        Raises:
            TrustError: the part is not what is signed; it is removed.
        """
        part = self.part(pinned.sha256)
        self.disk.seal(part)
        if not matches(part, pinned):
            self.disk.remove(part)
            raise TrustError(
                Reason.WRONG_CONTENT, f"content {pinned.sha256[:12]} is not what is signed"
            )
        self.disk.rename(part, self.path(pinned.sha256))
        self.disk.sync_directory(self.root)
        return self.path(pinned.sha256)

    def adopt(self, source: Path, pinned: Pinned) -> Path:
        """Copy a file in, unless its content is here and undamaged.

        Raises:
            TrustError: the file is not what is pinned.
        """
        held = self.path(pinned.sha256)
        if matches(held, pinned):
            return held
        self.prepare()
        self.drop_part(pinned.sha256)
        self.disk.copy(source, self.part(pinned.sha256))
        return self.admit(pinned)

    def remove(self, sha256: str) -> None:
        """Remove a content; generations that hold it keep it."""
        self.disk.remove(self.path(sha256))

    def wanted(self) -> frozenset[str]:
        """Hashes that an update under way needs. An unreadable list counts as empty."""
        try:
            with (self.root / _WANTED).open("rb") as stream:
                data = stream.read(MAX_WANTED_BYTES + 1)
            return frozenset(_Wanted.model_validate_json(data).wanted)
        except (FileNotFoundError, ValidationError):
            return frozenset()

    def want(self, hashes: Iterable[str]) -> None:
        """Keep these, and nothing else that no generation holds, from the next ``collect`` on."""
        listed = _Wanted(wanted=tuple(sorted(set(hashes))))
        if frozenset(listed.wanted) != self.wanted():
            self.prepare()
            replace_file(self.disk, self.root / _WANTED, listed.model_dump_json().encode())

    def collect(self, held: Collection[str]) -> None:
        """Remove contents and parts that are neither ``held`` by a generation nor wanted."""
        if not self.root.is_dir():
            return
        kept = {*held, *self.wanted()}
        names = [(path, path.name.removeprefix(_PART)) for path in sorted(self.root.iterdir())]
        stale = [path for path, name in names if _HASH.fullmatch(name) and name not in kept]
        for path in stale:
            self.disk.remove(path)
        if stale:
            self.disk.sync_directory(self.root)

    def prepare(self) -> None:
        """Make the directory, durably, where it is missing."""
        if not self.root.is_dir():
            self.disk.make_directory(self.root)
            self.disk.sync_directory(self.root.parent)

    def require_room(self, needed: int) -> None:
        """Refuse to begin what cannot be finished.

        Raises:
            StoreError: fewer than ``needed`` bytes are free.
        """
        free = self.disk.free(self.root)
        if free < needed:
            raise StoreError(Reason.NO_ROOM, f"{self.root}: needs {needed} bytes, {free} are free")


def matches(path: Path, pinned: Pinned) -> bool:
    """Whether a plain file has the pinned size and hash; read in blocks, links not followed."""
    try:
        # Non-blocking, so that a pipe put in a file's place cannot hold us.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    with open(descriptor, "rb", buffering=0) as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size != pinned.bytes:
            return False
        digest = hashlib.sha256()
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest() == pinned.sha256


def _checked(sha256: str) -> str:
    if not _HASH.fullmatch(sha256):
        raise ValueError("not a SHA-256")
    return sha256


def _size(path: Path) -> int | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
