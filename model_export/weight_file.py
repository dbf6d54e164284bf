"""Weights beside a graph, written one tensor at a time: ONNX's external data.

Every tensor begins at a page, so that a runtime can map it. The file's hash is known when its last
byte is written.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

PAGE = 4096
BLOCK = 64 << 20


class WeightFile:
    """Writes ``path``; use it as a context. What is written when an error leaves it is removed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream = path.open("xb")
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

    def add(self, tensor: TensorProto, values: npt.NDArray[np.generic]) -> None:
        """Write ``values`` and let ``tensor`` point at them, in place."""
        self._write(bytes(-self.bytes % PAGE))
        offset = self.bytes
        flat = np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
        for start in range(0, len(flat), BLOCK):
            self._write(flat[start : start + BLOCK])
        del tensor.external_data[:]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (
            ("location", self.path.name), ("offset", str(offset)), ("length", str(len(flat))),
        ):  # fmt: skip
            tensor.external_data.add(key=key, value=value)

    def _write(self, data: bytes | memoryview) -> None:
        self._stream.write(data)
        self._digest.update(data)
        self.bytes += len(data)
