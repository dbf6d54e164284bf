"""Safetensors files, read a few rows at a time.

The format is eight bytes of length, a JSON header and raw little-endian numbers: nothing in it can
run. The header is bounded before it is parsed, and each tensor must lie inside the file, be as
large as its shape says, and share no byte with another. Numbers are read into memory of our own,
not mapped: a mapped file of 5 GB would count as 5 GB of this process while it is passed through.

Format: https://github.com/huggingface/safetensors (README, "Format").
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_export.checkpoints.errors import CheckpointError

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"
MAX_HEADER = 16 << 20
MAX_TENSORS, MAX_RANK, MAX_FILES = 100_000, 8, 1_000
_NUMBERS = {"F32": ("<f4", 4), "F16": ("<f2", 2), "BF16": ("<u2", 2)}
_OTHERS = {"F64": 8, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,200}")


@dataclass(frozen=True)
class Stored:
    """One tensor of a file: where its bytes lie and what they are."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int
    """Of its first byte in the file."""

    @property
    def bytes(self) -> int:
        size = _NUMBERS[self.dtype][1] if self.dtype in _NUMBERS else _OTHERS[self.dtype]
        return math.prod(self.shape) * size


class SafetensorsCheckpoint:
    """A folder of safetensors files: one, or the shards that its index names.

    Args:
        folder: where the files are.

    Raises:
        CheckpointError: a file is missing, cut short or no safetensors file, or the index and the
            shards disagree.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.where = str(folder)
        self.tensors = _shards(folder) if (folder / INDEX).exists() else _headers(folder / SINGLE)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor by its name."""
        return {name: stored.shape for name, stored in self.tensors.items()}

    @property
    def files(self) -> tuple[Path, ...]:
        """The files in which tensors lie."""
        return tuple(sorted({stored.file for stored in self.tensors.values()}))

    def rows(self, name: str, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Rows ``start`` to ``stop`` of the first axis as float32.

        Raises:
            CheckpointError: the numbers cannot be read, are no floats or are not finite.
        """
        stored = self.tensors[name]
        if stored.dtype not in _NUMBERS:
            raise CheckpointError(f"{stored.file}: {name} holds {stored.dtype}, not floats")
        kind, size = _NUMBERS[stored.dtype]
        width = math.prod(stored.shape[1:])
        values = np.empty((stop - start) * width, kind)
        try:
            with stored.file.open("rb", buffering=0) as stream:
                stream.seek(stored.offset + start * width * size)
                got = _fill(stream, values.data.cast("B"))
        except OSError as error:
            raise CheckpointError(f"{stored.file}: cannot be read ({error.strerror})") from error
        if not got:
            raise CheckpointError(f"{stored.file}: {name} is cut short; fetch the file again")
        floats = _widened(values, stored.dtype)
        if not np.isfinite(floats).all():
            raise CheckpointError(f"{stored.file}: {name} has values that are not finite")
        return floats.reshape(stop - start, *stored.shape[1:])

    def read(self, name: str) -> npt.NDArray[np.float32]:
        """A whole tensor as float32; see ``rows``."""
        shape = self.tensors[name].shape
        whole = self.rows(name, 0, shape[0]) if shape else self._scalar(name)
        return whole.reshape(shape)

    def _scalar(self, name: str) -> npt.NDArray[np.float32]:
        stored = self.tensors[name]
        one = Stored(stored.file, stored.dtype, (1,), stored.offset)
        alone = object.__new__(SafetensorsCheckpoint)
        alone.folder, alone.where, alone.tensors = self.folder, self.where, {name: one}
        return alone.rows(name, 0, 1)


def _fill(stream: Any, view: memoryview) -> bool:
    """Read until ``view`` is full; False when the file ends before."""
    done = 0
    while done < len(view):
        count = stream.readinto(view[done : done + (64 << 20)])
        if not count:
            return False
        done += count
    return True


def _widened(values: npt.NDArray[Any], dtype: str) -> npt.NDArray[np.float32]:
    if dtype == "BF16":  # the upper half of a float32
        wide = values.astype("<u4")
        wide <<= 16
        return wide.view("<f4").astype(np.float32, copy=False)
    return values.astype(np.float32, copy=False)


def _shards(folder: Path) -> dict[str, Stored]:
    index = folder / INDEX
    named = _json(index, _bounded(index)).get("weight_map")
    if not isinstance(named, dict) or not named or len(named) > MAX_TENSORS:
        raise CheckpointError(f"{index}: has no weight_map of tensors to files")
    for name, file in named.items():
        if not isinstance(file, str) or not _PLAIN_NAME.fullmatch(file):
            raise CheckpointError(f"{index}: {name!r} is said to lie in {file!r}, no file name")
    files = sorted(set(named.values()))
    if len(files) > MAX_FILES:
        raise CheckpointError(f"{index}: names {len(files)} files, more than {MAX_FILES}")
    missing = [file for file in files if not (folder / file).is_file()]
    if missing:
        raise CheckpointError(f"{folder}: lacks {', '.join(missing)}; fetch the missing shards")
    found: dict[str, Stored] = {}
    for file in files:
        inside = _headers(folder / file)
        listed = {name for name, place in named.items() if place == file}
        if listed != inside.keys():
            odd = sorted(listed ^ inside.keys())[:5]
            raise CheckpointError(f"{folder / file}: and the index disagree about {odd}")
        found |= inside
    return found


def _headers(path: Path) -> dict[str, Stored]:
    """Every tensor of one file, from its header alone."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or not 2 <= length <= min(MAX_HEADER, size - 8):
                raise CheckpointError(
                    f"{path}: says that its header has {length} bytes, of a file of {size} and at "
                    f"most {MAX_HEADER}; fetch it again"
                )
            text = stream.read(length)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    header = _json(path, text)
    header.pop("__metadata__", None)
    if len(header) > MAX_TENSORS:
        raise CheckpointError(f"{path}: names {len(header)} tensors, more than {MAX_TENSORS}")
    found = {name: _stored(path, name, entry, 8 + length) for name, entry in header.items()}
    _check_places(path, found, 8 + length, size)
    return found


def _stored(path: Path, name: str, entry: object, base: int) -> Stored:
    try:
        kind, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]  # type: ignore[index]
        known = kind in _NUMBERS or kind in _OTHERS
        whole = all(type(n) is int and 0 <= n < 2**40 for n in (*shape, start, end))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: {name} has no dtype, shape and data_offsets") from error
    if not known or not whole or len(shape) > MAX_RANK:
        raise CheckpointError(f"{path}: {name} is {kind!r} of shape {shape!r}, which is no tensor")
    stored = Stored(path, kind, tuple(shape), base + start)
    if stored.bytes != end - start:
        raise CheckpointError(
            f"{path}: {name} of shape {shape} and type {kind} would have {stored.bytes} bytes "
            f"and has {end - start}"
        )
    return stored


def _check_places(path: Path, found: dict[str, Stored], start: int, size: int) -> None:
    """Tensors must fill the file, each after the other."""
    for name, stored in sorted(found.items(), key=lambda item: (item[1].offset, item[1].bytes)):
        if stored.offset != start:
            raise CheckpointError(f"{path}: {name} does not begin where the one before it ends")
        start += stored.bytes
        if start > size:
            raise CheckpointError(f"{path}: is cut short: {name} ends at {start} of {size} bytes")
    if start != size:
        raise CheckpointError(f"{path}: has {size - start} bytes that belong to no tensor")


def _bounded(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_HEADER + 1)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) > MAX_HEADER:
        raise CheckpointError(f"{path}: is larger than {MAX_HEADER} bytes")
    return data


def _json(path: Path, text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: its header is no JSON object ({_short(error)})") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: its header is no JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:100]
