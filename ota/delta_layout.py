"""Where the tensors of an ONNX file lie, and which of them belong together in two files.

Tensors stand behind their names: one name that is a letter longer moves everything after it, and a
difference taken at the same offset would be noise. Read from the file's own structure (protobuf)
without loading it; used by publishers only. A file that is no ONNX, or is broken, has no tensors.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

LEAST = 4096
"""Bytes of a tensor worth a block of its own."""
_GRAPH, _INITIALIZER = 7, 5
_DIMS, _TYPE, _NAME, _RAW = 1, 2, 8, 9
_MAX_NAME = 4096


@dataclass(frozen=True)
class Tensor:
    """Where a tensor's bytes lie, and what it is."""

    name: bytes
    kind: tuple[object, ...]
    """Element type and dims, as they are encoded."""
    offset: int
    length: int


@dataclass(frozen=True)
class Pair:
    """The same tensor in two files."""

    old: int
    """Its offset in the old file."""
    new: int
    length: int


class _NoOnnx(Exception):
    pass


def pairs(old: Path, new: Path) -> list[Pair]:
    """Tensors that both files have, in the order of the new one.

    By name; where names changed, by the order of types and shapes.
    """
    before, after = tensors(old), tensors(new)
    named = {tensor.name: tensor for tensor in before}
    found = {}
    for tensor in after:
        match = named.get(tensor.name)
        if match and match.length == tensor.length:
            found[tensor.offset] = Pair(match.offset, tensor.offset, tensor.length)
    taken = {pair.old for pair in found.values()}
    left_old = [tensor for tensor in before if tensor.offset not in taken]
    left_new = [tensor for tensor in after if tensor.offset not in found]
    kinds = [tensor.kind for tensor in left_old], [tensor.kind for tensor in left_new]
    for run in SequenceMatcher(None, *kinds, autojunk=False).get_matching_blocks():
        for a, b in zip(left_old[run.a :][: run.size], left_new[run.b :][: run.size], strict=True):
            found[b.offset] = Pair(a.offset, b.offset, b.length)
    return [found[offset] for offset in sorted(found)]


def tensors(path: Path) -> list[Tensor]:
    """Tensors of at least ``LEAST`` bytes, in order; none where the file is no ONNX."""
    with path.open("rb") as stream:
        try:
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return [
                    tensor
                    for field, start, end in _fields(data, 0, len(data))
                    if field == _GRAPH
                    for tensor in _tensors_of(data, start, end)
                ]
        except (ValueError, _NoOnnx):  # ValueError: an empty file cannot be mapped
            return []


def _tensors_of(data: mmap.mmap, start: int, end: int) -> Iterator[Tensor]:
    for field, begin, stop in _fields(data, start, end):
        if field == _INITIALIZER:
            tensor = _tensor(data, begin, stop)
            if tensor.length >= LEAST:
                yield tensor


def _tensor(data: mmap.mmap, start: int, end: int) -> Tensor:
    name, kind, raw = b"", [], (0, 0)
    for field, begin, stop in _fields(data, start, end):
        if field == _NAME:
            name = data[begin : min(stop, begin + _MAX_NAME)]
        elif field in (_DIMS, _TYPE):
            kind.append((field, data[begin : min(stop, begin + 64)]))
        elif field == _RAW:
            raw = (begin, stop)
    return Tensor(name, tuple(kind), raw[0], raw[1] - raw[0])


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Field number, and where its value begins and ends, of one protobuf message."""
    at = start
    while at < end:
        key, at = _varint(data, at, end)
        kind = key & 7
        if kind == 0:
            _, stop = _varint(data, at, end)
        elif kind == 2:
            size, at = _varint(data, at, end)
            stop = at + size
        elif kind in (1, 5):
            stop = at + (8 if kind == 1 else 4)
        else:
            raise _NoOnnx
        if stop > end:
            raise _NoOnnx
        yield key >> 3, at, stop
        at = stop


def _varint(data: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise _NoOnnx
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise _NoOnnx
