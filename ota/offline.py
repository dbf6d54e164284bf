"""Updates from a stick: the same repository as a directory or a tar archive, the same trust.

    with open_repository(path) as repository:
        Trust(…, OFFLINE, fetcher=OfflineFetcher(repository))     metadata and signed targets
        OfflineSource(repository)                                 contents

The layout is that of the server (``ota.layout``); ``linnet fleet export`` writes it. A stick is
believed no more than a server: the signatures are the same, and so is their expiry.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote

from tuf.api.exceptions import DownloadError, DownloadHTTPError
from tuf.ngclient import FetcherInterface

from ota.errors import Reason, TransferError
from ota.layout import Addresses, content_path
from ota.storage import BLOCK
from ota.store import Pinned, Store
from ota.transfer import Cancel
from ota.ustar import Extent, index, plain

_BASE = "offline:/"
OFFLINE = Addresses.under(_BASE)


class Reader:
    """The bytes of one file, in blocks. Use it as a context."""

    def __init__(self, stream: BinaryIO, extent: Extent | None = None) -> None:
        """
        Args:
            extent: where in ``stream``, which then stays open; None: all of it.
        """
        self._stream, self._extent = stream, extent

    def __enter__(self) -> Iterator[bytes]:
        extent = self._extent or Extent(0, os.fstat(self._stream.fileno()).st_size)
        return _slice(self._stream, extent)

    def __exit__(self, *_: object) -> None:
        if self._extent is None:
            self._stream.close()


class Repository(Protocol):
    """Files by their path in the repository."""

    def open(self, path: str) -> Reader | None:
        """A plain file, to be closed; None where there is none. Raises OSError."""


class DirectoryRepository:
    """A directory. Links in it are not followed, so that nothing outside can be reached."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self, path: str) -> Reader | None:
        """See ``Repository``."""
        if not plain(path):
            return None
        try:
            descriptor = _open_beneath(self._root, path.split("/"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return None
        return Reader(os.fdopen(descriptor, "rb"))


class TarRepository:
    """A tar archive, read where it lies."""

    def __init__(self, stream: BinaryIO) -> None:
        """Raises ArchiveError: not one that may be used."""
        self._stream = stream
        self._index = index(stream, stream.seek(0, os.SEEK_END))

    def open(self, path: str) -> Reader | None:
        """See ``Repository``."""
        extent = self._index.get(path)
        return Reader(self._stream, extent) if extent else None


@contextmanager
def open_repository(path: Path) -> Iterator[Repository]:
    """A repository on a stick: a directory, or a tar archive.

    Raises:
        TransferError: there is nothing that can be read.
        ArchiveError: an archive that may not be used.
    """
    try:
        if path.is_dir():
            yield DirectoryRepository(path)
        else:
            with _plain_file(path) as stream:
                yield TarRepository(stream)
    except OSError as error:
        raise TransferError(Reason.UNREACHABLE, f"{path}: {error.strerror}") from error


def _plain_file(path: Path) -> BinaryIO:
    # Non-blocking, so that a pipe put in an archive's place cannot hold us.
    stream = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        return stream
    stream.close()
    raise TransferError(Reason.UNREACHABLE, f"{path}: neither a directory nor an archive")


class OfflineFetcher(FetcherInterface):
    """Metadata and signed targets, for python-tuf."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            reader = self._repository.open(unquote(url.removeprefix(_BASE)))
        except OSError as error:
            raise DownloadError("cannot be read") from error
        if reader is None:
            raise DownloadHTTPError("not here", 404)
        return _download(reader)


class OfflineSource:
    """Contents; a ``ContentSource``."""

    def __init__(self, repository: Repository, cancel: Cancel | None = None) -> None:
        self._repository, self._cancel = repository, cancel or Cancel()

    def fetch(self, pinned: Pinned, store: Store) -> Path:
        """See ``ContentSource``. At most the signed length is read."""
        if store.has(pinned):
            return store.path(pinned.sha256)
        reader = self._repository.open(content_path(pinned.sha256))
        if reader is None:
            raise TransferError(Reason.REFUSED, f"content {pinned.sha256[:12]} is not on the stick")
        with reader as pieces:
            store.drop_part(pinned.sha256)
            store.append(pinned.sha256, b"")
            left = pinned.bytes
            for piece in pieces:
                self._cancel.check()
                store.append(pinned.sha256, piece[: left + 1])  # one too many: admit refuses it
                left -= len(piece)
                if left < 0:
                    break
        return store.admit(pinned)


def _open_beneath(root: Path, pieces: list[str]) -> int:
    """A descriptor of a file, every step of the way taken without following links."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    at = os.open(root, flags & ~os.O_NOFOLLOW | os.O_DIRECTORY)
    for n, piece in enumerate(pieces):
        last = n == len(pieces) - 1
        try:
            below = os.open(piece, flags | (0 if last else os.O_DIRECTORY), dir_fd=at)
        finally:
            os.close(at)
        at = below
    return at


def _slice(stream: BinaryIO, extent: Extent) -> Iterator[bytes]:
    at, end = extent.offset, extent.offset + extent.size
    while at < end:
        stream.seek(at)
        block = stream.read(min(BLOCK, end - at))
        if not block:
            return
        at += len(block)
        yield block


def _download(reader: Reader) -> Iterator[bytes]:
    try:
        with reader as pieces:
            yield from pieces
    except OSError as error:
        raise DownloadError("cannot be read") from error
