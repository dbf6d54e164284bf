"""Which plain files lie where in an uncompressed tar archive, read header by header.

Nothing is unpacked. Anything but plain files and directories under plain names is refused: links,
devices, extended headers, names that lead upwards. An archive costs its index, which is bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO

from ota.errors import Reason, TrustError

MAX_MEMBERS = 8192
PIECE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+\-]{0,127}")
_BLOCK = 512
_DIRECTORY, _LONG_NAME = b"5", b"L"
_MOST = {b"0": 2**40, b"\0": 2**40, _DIRECTORY: 0, _LONG_NAME: 600}
"""Kinds that are read, and bytes that one of them may have. GNU tar puts long names apart."""
_POSIX, _GNU = b"ustar\x0000", b"ustar  \x00"


class ArchiveError(TrustError):
    """An archive that is none, is damaged, or holds what it must not."""

    def __init__(self, problem: str) -> None:
        super().__init__(Reason.WRONG_CONTENT, f"archive: {problem}")


@dataclass(frozen=True)
class Extent:
    """Where a file's bytes lie in the archive."""

    offset: int
    size: int


def index(stream: BinaryIO, length: int) -> dict[str, Extent]:
    """Plain files by name.

    Args:
        stream: the archive, at its beginning; seekable.
        length: bytes of the archive.

    Raises:
        ArchiveError: see there.
    """
    found: dict[str, Extent] = {}
    at, long_name = 0, b""
    for _ in range(MAX_MEMBERS):
        stream.seek(at)
        header = stream.read(_BLOCK)
        if header == bytes(_BLOCK):
            return found
        raw, kind, size = _member(header)
        begin, at = at + _BLOCK, at + _BLOCK + -(-size // _BLOCK) * _BLOCK
        if begin + size > length:
            raise ArchiveError("ends too early")
        if kind == _LONG_NAME:
            long_name = stream.read(size)
            continue
        name, long_name = _name(long_name or raw, kind), b""
        if kind == _DIRECTORY:
            continue
        if name in found:
            raise ArchiveError(f"holds {name} twice")
        found[name] = Extent(begin, size)
    raise ArchiveError(f"holds more than {MAX_MEMBERS} files")


def plain(name: str) -> bool:
    """Whether a path is relative and made of plain names only."""
    return 0 < len(name) <= 512 and all(PIECE.fullmatch(piece) for piece in name.split("/"))


def _member(header: bytes) -> tuple[bytes, bytes, int]:
    """Name as it stands, kind and size."""
    if len(header) < _BLOCK:
        raise ArchiveError("ends too early")
    magic = header[257:265]
    if magic not in (_POSIX, _GNU) or _number(header[148:156]) != _checksum(header):
        raise ArchiveError("not a tar archive, or damaged")
    kind, size = header[156:157], _number(header[124:136])
    if kind not in _MOST or size > _MOST[kind]:
        raise ArchiveError("holds something that is no plain file")
    # In GNU's older form other things stand where POSIX puts the beginning of long names.
    pieces = [header[345:500]] if magic == _POSIX else []
    texts = [piece.split(b"\0", 1)[0] for piece in [*pieces, header[:100]]]
    return b"/".join(text for text in texts if text), kind, size


def _name(raw: bytes, kind: bytes) -> str:
    name = raw.rstrip(b"\0").decode("ascii", "replace").removeprefix("./").rstrip("/")
    if not plain(name) and not (kind == _DIRECTORY and name in ("", ".")):
        raise ArchiveError("holds a file of a name that it must not have")
    return name


def _checksum(header: bytes) -> int:
    return sum(header[:148]) + 8 * ord(" ") + sum(header[156:])


def _number(field: bytes) -> int:
    if field[0] & 0x80:  # GNU: large numbers in binary
        return int.from_bytes(field, "big") - (0x80 << (8 * (len(field) - 1)))
    digits = field.strip(b"\0 ")
    if not re.fullmatch(rb"[0-7]{1,12}", digits):
        raise ArchiveError("not a tar archive, or damaged")
    return int(digits, 8)
