"""Making deltas: the publisher's side."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ota.delta import File, Header, Record
from ota.delta_blocks import BLOCK, Method, encoded
from ota.delta_layout import Pair, pairs


@dataclass(frozen=True)
class Made:
    """A finished delta."""

    header: Header
    file: File
    methods: dict[str, int]
    """Bytes of target told by each method."""

    @property
    def ratio(self) -> float:
        """Its bytes as a share of the target's."""
        return self.file.bytes / max(self.header.target.bytes, 1)


@dataclass(frozen=True)
class Cut:
    """A block to be: where in the target, and where in the old file it might come from."""

    start: int
    length: int
    sources: tuple[int, ...]


def make_delta(source: Path, target: Path, out: Path) -> Made:
    """Write the delta from one file to another; ``out`` is overwritten.

    Raises:
        OSError: a file cannot be read or written.
    """
    header = Header(_facts(source), _facts(target))
    methods: Counter[str] = Counter()
    cuts = plan_cuts(header.target.bytes, pairs(source, target))
    with source.open("rb") as old, target.open("rb") as new, out.open("wb") as stream:
        stream.write(header.packed())
        for cut in cuts:
            new.seek(cut.start)
            block = new.read(cut.length)
            record, payload = _best(old, block, cut)
            methods[record.method.name.lower()] += len(block)
            stream.write(record.packed() + payload)
        stream.flush()
        os.fsync(stream.fileno())
    return Made(header, _facts(out), dict(methods))


def plan_cuts(size: int, found: list[Pair]) -> Iterator[Cut]:
    """Blocks of a file of ``size`` bytes: tensors by themselves, and what lies between them.

    A tensor comes from its own place in the old file. What lies between two may have moved with the
    one before or the one after.
    """
    at, shift = 0, 0
    for pair in [*found, Pair(size, size, 0)]:
        if pair.new < at:
            continue  # overlaps the one before: no honest file, and no matter
        after = pair.old - pair.new if pair.length else shift
        yield from _blocks(at, pair.new, (shift, after))
        yield from _blocks(pair.new, pair.new + pair.length, (after,))
        at, shift = pair.new + pair.length, after


def _blocks(start: int, end: int, shifts: tuple[int, ...]) -> Iterator[Cut]:
    for at in range(start, end, BLOCK):
        sources = tuple(dict.fromkeys(max(0, at + shift) for shift in shifts))
        yield Cut(at, min(BLOCK, end - at), sources)


def _best(old: BinaryIO, block: bytes, cut: Cut) -> tuple[Record, bytes]:
    size = old.seek(0, os.SEEK_END)
    found = []
    for offset in {min(one, size) for one in cut.sources}:
        old.seek(offset)
        method, payload = encoded(old.read(len(block)).ljust(len(block), b"\0"), block)
        found.append((len(payload), method, offset, payload))
    _, method, offset, payload = min(found)
    digest = hashlib.sha256(block).digest()
    return Record(Method(method), offset, len(block), len(payload), digest), payload


def _facts(path: Path) -> File:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
            size += len(block)
    return File(size, digest.hexdigest())
