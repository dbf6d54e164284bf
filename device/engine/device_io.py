"""Inputs and outputs that come and go by value: page-locked on the host, fixed on the device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from device.engine.addresses import Block, byte_size
from device.engine.contract import Array, TensorSpec
from device.engine.cuda import Cuda
from device.engine.device_memory import Arena


class DeviceIo:
    """Room for the largest shape of each tensor, at addresses that never change.

    Args:
        greatest: largest shape of each tensor, by name.
    """

    def __init__(
        self,
        arena: Arena,
        cuda: Cuda,
        tensors: Iterable[TensorSpec],
        greatest: Mapping[str, tuple[int, ...]],
    ) -> None:
        self._cuda = cuda
        self._specs = {tensor.name: tensor for tensor in tensors}
        sizes = {
            name: byte_size(greatest[name], tensor.numpy_dtype.itemsize)
            for name, tensor in self._specs.items()
        }
        block = Block.of(sizes)
        self._host = arena.pinned(block.size)
        base = arena.alloc(block.size)
        self.addresses = {name: base + offset for name, offset in block.offsets.items()}
        self._offsets = block.offsets

    def put(self, name: str, array: Array, stream: int) -> None:
        """Begin to copy ``array`` to the device; its own memory is free again at once."""
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        if not data.size:
            return
        start = self._offsets[name]
        staged = self._host[start : start + data.size]
        staged[:] = data
        self._cuda.h2d(self.addresses[name], staged, stream)

    def fetch(self, name: str, shape: tuple[int, ...], stream: int) -> None:
        """Begin to copy a tensor to the host; ``take`` it after the stream was waited for."""
        size = byte_size(shape, self._specs[name].numpy_dtype.itemsize)
        if size:
            start = self._offsets[name]
            self._cuda.d2h(self._host[start : start + size], self.addresses[name], stream)

    def take(self, name: str, shape: tuple[int, ...]) -> Array:
        """What was fetched, in memory of its own."""
        dtype = self._specs[name].numpy_dtype
        start = self._offsets[name]
        size = byte_size(shape, dtype.itemsize)
        out: Array = self._host[start : start + size].view(dtype).reshape(shape).copy()
        return out
