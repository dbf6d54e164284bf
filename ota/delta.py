"""Deltas: a file made from another one, block by block, in the memory of a few blocks.

    header   "LINNETD1", bytes and SHA-256 of the file it starts from, bytes and SHA-256 of the
             file it leads to
    blocks   method, where in the old file, bytes of target, bytes of payload, SHA-256 of the target
             block; then the payload (``ota.delta_blocks``)

All numbers are little-endian. A delta is signed by its own hash like any content; still each block
is judged as it comes, and the whole before it is used. It is never the only way to a file.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ota.delta_blocks import BLOCK, DeltaError, Method, decoded
from ota.store import Pinned, Store

MAGIC = b"LINNETD1"
HEADER = struct.Struct("<8sQ32sQ32s")
RECORD = struct.Struct("<BQII32s")
MAX_FILE = 2**35
WORTH = 0.6
"""A delta of more than this share of the file is not published."""


@dataclass(frozen=True)
class File:
    """Size in bytes and SHA-256 in hex."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Header:
    """Which file a delta leads from and to."""

    source: File
    target: File

    def packed(self) -> bytes:
        """As it stands in the delta."""
        ends = [(one.bytes, bytes.fromhex(one.sha256)) for one in (self.source, self.target)]
        return HEADER.pack(MAGIC, *ends[0], *ends[1])


@dataclass(frozen=True)
class Record:
    """One block, but for its payload."""

    method: Method
    offset: int
    """Where in the old file; what lies beyond its end counts as zeros."""
    length: int
    payload: int
    sha256: bytes

    def packed(self) -> bytes:
        """As it stands in the delta."""
        return RECORD.pack(self.method, self.offset, self.length, self.payload, self.sha256)


def read_header(delta: BinaryIO) -> Header:
    """The start of a delta.

    Raises:
        DeltaError: it is none, or its files are too large.
    """
    magic, old, old_hash, new, new_hash = HEADER.unpack(_exactly(delta, HEADER.size))
    if magic != MAGIC:
        raise DeltaError("not a delta of this format")
    if max(old, new) > MAX_FILE:
        raise DeltaError("its files are too large")
    return Header(File(old, old_hash.hex()), File(new, new_hash.hex()))


def blocks(delta: BinaryIO, source: BinaryIO, header: Header) -> Iterator[bytes]:
    """The blocks of the target, in order, each of the bytes it should be.

    Raises:
        DeltaError: the delta is damaged, or the source is not the file that it starts from.
    """
    done = 0
    while done < header.target.bytes:
        record = _record(_exactly(delta, RECORD.size))
        if record.length > header.target.bytes - done or record.offset > header.source.bytes:
            raise DeltaError("a block lies outside of its file")
        payload = _exactly(delta, record.payload)
        block = decoded(record.method, payload, _old(source, record))
        if hashlib.sha256(block).digest() != record.sha256:
            raise DeltaError(f"the block at {done} comes out wrong")
        done += len(block)
        yield block
    if delta.read(1):
        raise DeltaError("goes on after its last block")


def apply(delta: Path, source: Path, target: Pinned, store: Store) -> Path:
    """Make a content of the store from a file and a delta.

    Raises:
        DeltaError: the delta is damaged, or is not from this source to this target.
        TrustError: the whole is not what is signed.
        OSError: the disk refuses.
    """
    store.drop_part(target.sha256)  # begun before a restart, or a download: either starts over
    with delta.open("rb") as stream, source.open("rb") as old:
        header = read_header(stream)
        if (header.target.bytes, header.target.sha256) != (target.bytes, target.sha256):
            raise DeltaError("leads to another file")
        store.append(target.sha256, b"")  # there is a part even where there are no blocks
        try:
            for block in blocks(stream, old, header):
                store.append(target.sha256, block)
        except DeltaError:
            store.drop_part(target.sha256)
            raise
    return store.admit(target)


def _old(source: BinaryIO, record: Record) -> bytes:
    if record.method in (Method.STORED, Method.FRESH):
        return bytes(record.length)  # not looked at, but for its length
    source.seek(record.offset)
    return source.read(record.length).ljust(record.length, b"\0")


def _record(data: bytes) -> Record:
    method, offset, length, payload, sha256 = RECORD.unpack(data)
    if method not in set(Method):
        raise DeltaError("a block of an unknown kind")
    if not 0 < length <= BLOCK or payload > 2 * BLOCK:
        raise DeltaError("a block is too large")
    return Record(Method(method), offset, length, payload, sha256)


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise DeltaError("ends too early")
    return data
