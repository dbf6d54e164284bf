"""Weights beside a graph, written one tensor at a time: ONNX's external data.

Every tensor begins at a page, so that a runtime can map it. The file's hash is known when its last
byte is written. A matrix that comes some columns at a time is written in place and read back for
the hash: it is never whole in memory.
"""

from __future__ import annotations

import errno
import hashlib
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
from onnx import TensorProto
from onnx.helper import tensor_dtype_to_np_dtype

PAGE = 4096
BLOCK = 64 << 20
READ_BACK = 1 << 20  # bytes at once

Values = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Columns:
    """Where a tensor [K, N] or [N] lies in the file, to be filled some columns at a time."""

    descriptor: int
    offset: int
    width: int
    dtype: np.dtype[np.generic]

    def put(self, first: int, values: Values) -> None:
        """Write columns from ``first`` on: [K, n] or [n], in the type of the tensor.

        Raises:
            ValueError: they do not fit the tensor.
            OSError: the disk is full.
        """
        if values.dtype != self.dtype or first + values.shape[-1] > self.width:
            raise ValueError(f"{values.dtype} {values.shape} at {first}: is no part of the tensor")
        rows = np.ascontiguousarray(values).reshape(-1, values.shape[-1])
        for number, row in enumerate(rows):
            place = self.offset + (number * self.width + first) * self.dtype.itemsize
            if os.pwrite(self.descriptor, row.view(np.uint8).data, place) < row.nbytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class WeightFile:
    """Writes ``path``; use it as a context. What is written when an error leaves it is removed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream = path.open("x+b")
        self._digest = hashlib.sha256()
        self.bytes = 0

    def __enter__(self) -> WeightFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stream:
            if kind is None:
                self._stream.flush()
                os.fsync(self._stream.fileno())
        if kind is not None:
            self.path.unlink(missing_ok=True)

    @property
    def sha256(self) -> str:
        """Of what was written so far, in hex."""
        return self._digest.hexdigest()

    def add(self, tensor: TensorProto, values: Values) -> None:
        """Write ``values`` and let ``tensor`` point at them, in place."""
        self.add_rows(tensor, [values])

    def add_rows(self, tensor: TensorProto, blocks: Iterable[Values]) -> None:
        """The same with values that come block by block."""
        self._write(bytes(-self.bytes % PAGE))
        offset = self.bytes
        for values in blocks:
            flat = np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
            for start in range(0, len(flat), BLOCK):
                self._write(flat[start : start + BLOCK])
        self._refer(tensor, offset, self.bytes - offset)

    @contextmanager
    def by_columns(self, tensors: Sequence[TensorProto]) -> Iterator[list[Columns]]:
        """Room for ``tensors``; all their columns are to be put before the context ends."""
        start = self.bytes
        places: list[Columns] = []
        self._stream.flush()
        for tensor in tensors:
            self.bytes += -self.bytes % PAGE
            dtype = tensor_dtype_to_np_dtype(tensor.data_type)
            places.append(Columns(self._stream.fileno(), self.bytes, tensor.dims[-1], dtype))
            self.bytes += math.prod(tensor.dims) * dtype.itemsize
        yield places
        self._stream.seek(start)
        while block := self._stream.read(READ_BACK):
            self._digest.update(block)
        if self._stream.tell() != self.bytes:
            raise ValueError(f"{self.path}: not all columns were put")
        for tensor, place in zip(tensors, places, strict=True):
            self._refer(tensor, place.offset, math.prod(tensor.dims) * place.dtype.itemsize)

    def _refer(self, tensor: TensorProto, offset: int, length: int) -> None:
        del tensor.external_data[:]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (
            ("location", self.path.name), ("offset", str(offset)), ("length", str(length)),
        ):  # fmt: skip
            tensor.external_data.add(key=key, value=value)

    def _write(self, data: bytes | memoryview) -> None:
        self._stream.write(data)
        self._digest.update(data)
        self.bytes += len(data)
