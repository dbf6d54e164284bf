"""The few disk operations that updating needs, each one step that power may be cut between.

``Disk`` does them for real; tests put in a disk that loses power at any step and forgets what was
never synced.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from ota.errors import Reason, StoreError

BLOCK = 2**20


class Storage(Protocol):
    """What may be done to the disk. ``OSError`` passes through."""

    def make_directory(self, path: Path) -> None:
        """Create a directory; one that exists is fine."""

    def copy(self, source: Path, target: Path) -> None:
        """Copy a file's bytes and sync them; its name is durable after ``sync_directory``."""

    def write(self, path: Path, data: bytes) -> None:
        """Write a file's bytes and sync them; its name is durable after ``sync_directory``."""

    def append(self, path: Path, data: bytes) -> None:
        """Add bytes to the end of a file, made where there is none. Not durable yet."""

    def seal(self, path: Path) -> None:
        """Make a file's bytes durable, and the file read-only for good."""

    def rename(self, source: Path, target: Path) -> None:
        """Give another name in the same directory, replacing a file or link atomically."""

    def hard_link(self, source: Path, target: Path) -> None:
        """Give a file a second name, in any directory of the same file system."""

    def link(self, target: str, path: Path) -> None:
        """Create a symbolic link."""

    def remove(self, path: Path) -> None:
        """Remove a file, a link or a whole directory; one that is not there is fine."""

    def sync_directory(self, path: Path) -> None:
        """Make the names in a directory durable."""

    def free(self, path: Path) -> int:
        """Bytes that may still be written at a place, which need not be there yet."""


class Disk:
    """The real disk."""

    def make_directory(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)

    def copy(self, source: Path, target: Path) -> None:
        # A link among a bundle's files would copy what it points at, from anywhere: refuse it.
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as reader, target.open("xb") as writer:
            shutil.copyfileobj(reader, writer, BLOCK)
            writer.flush()
            os.fsync(writer.fileno())

    def write(self, path: Path, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o644), "wb") as writer:
            writer.write(data)
            writer.flush()
            os.fsync(writer.fileno())

    def append(self, path: Path, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o644), "wb") as writer:
            writer.write(data)

    def seal(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            # First the bytes: a file that is read-only but not whole could not be continued.
            os.fsync(descriptor)
            os.fchmod(descriptor, 0o444)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    def hard_link(self, source: Path, target: Path) -> None:
        os.link(source, target, follow_symlinks=False)

    def link(self, target: str, path: Path) -> None:
        path.symlink_to(target)

    def remove(self, path: Path) -> None:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def sync_directory(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free(self, path: Path) -> int:
        found = os.statvfs(next(place for place in (path, *path.parents) if place.is_dir()))
        return found.f_bavail * found.f_frsize


def replace_file(disk: Storage, path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` so that after a power cut there is the old file or the new.

    Raises:
        OSError: the disk refuses; the old file stands.
    """
    draft = path.with_name(f".draft-{path.name}")
    disk.write(draft, data)
    disk.rename(draft, path)
    disk.sync_directory(path.parent)


def disk_reason(error: OSError) -> Reason:
    """What to count a disk's refusal as."""
    return Reason.NO_ROOM if error.errno in (errno.ENOSPC, errno.EDQUOT) else Reason.DISK


@contextmanager
def disk_refusals() -> Iterator[None]:
    """Let the disk's errors out as ``StoreError``."""
    try:
        yield
    except OSError as error:
        problem = f"{error.filename or 'disk'}: {error.strerror}"
        raise StoreError(disk_reason(error), problem) from error
