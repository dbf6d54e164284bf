"""One array to the device or back, waited for: for what is rare, such as state by value."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from device.engine.contract import Array
from device.engine.cuda import Cuda, HostBytes


def upload(cuda: Cuda, stream: int, address: int, array: Array) -> None:
    """Copy ``array`` to ``address``."""
    data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    if not data.size:
        return
    with _pinned(cuda, data.size) as staged:
        staged[:] = data
        cuda.h2d(address, staged, stream)
        cuda.synchronize(stream)


def download(cuda: Cuda, stream: int, address: int, like: Array) -> Array:
    """What lies at ``address``, of the shape and type of ``like``."""
    if not like.size:
        return np.zeros_like(like)
    with _pinned(cuda, like.nbytes) as staged:
        cuda.d2h(staged, address, stream)
        cuda.synchronize(stream)
        out: Array = staged.view(like.dtype).reshape(like.shape).copy()
        return out


@contextmanager
def _pinned(cuda: Cuda, size: int) -> Iterator[HostBytes]:
    memory = cuda.pinned(size)
    try:
        yield memory
    finally:
        cuda.unpin(memory)
