"""``pycuda.driver`` over a GPU made of numpy: the calls that Linnet's adapter makes of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from device.errors import CudaError
from tests.support.fake_cuda import FakeCuda


class Error(Exception):
    """As pycuda's own."""


class FakeDriver:
    Error = Error

    def __init__(self, cuda: FakeCuda, devices: int = 1) -> None:
        self._cuda, self._devices = cuda, devices
        self._ready = False
        self.Context = SimpleNamespace(pop=cuda.pop)

    def init(self) -> None:
        self._ready = True

    def Device(self, index: int) -> Any:
        if not self._ready or index >= self._devices:
            raise Error("cuDeviceGet failed: invalid device ordinal")
        major, minor = divmod(self._cuda.sm, 10)
        context = SimpleNamespace(push=self._cuda.push)
        return SimpleNamespace(
            name=lambda: self._cuda.name,
            compute_capability=lambda: (major, minor),
            retain_primary_context=lambda: context,
        )

    def mem_alloc(self, size: int) -> Any:
        try:
            return _Allocation(self._cuda, self._cuda.alloc(size))
        except CudaError as error:
            raise Error(error.problem) from error

    def pagelocked_empty(self, size: int, dtype: type) -> np.ndarray:
        assert dtype is np.uint8
        return np.asarray(_Locked(self._cuda, self._cuda.pinned(size)))

    def mem_get_info(self) -> tuple[int, int]:
        return self._cuda.memory()

    def Stream(self, flags: int) -> Any:
        return _Stream(self._cuda)

    def Event(self) -> Any:
        return _Event(self._cuda)

    def Memcpy2D(self) -> Any:
        return _Memcpy2D(self._cuda)

    def memset_d8_async(self, address: int, value: int, size: int, stream: Any) -> None:
        assert value == 0
        self._cuda.zero(address, size, stream.handle)

    def memcpy_htod_async(self, target: int, source: np.ndarray, stream: Any) -> None:
        self._cuda.h2d(target, source, stream.handle)

    def memcpy_dtoh_async(self, target: np.ndarray, source: int, stream: Any) -> None:
        self._cuda.d2h(target, source, stream.handle)

    def memcpy_dtod_async(self, target: int, source: int, size: int, stream: Any) -> None:
        self._cuda.d2d(target, source, size, stream.handle)


class _Allocation:
    def __init__(self, cuda: FakeCuda, address: int) -> None:
        self._cuda, self._address = cuda, address

    def __int__(self) -> int:
        return self._address

    def free(self) -> None:
        self._cuda.free(self._address)


class _Locked:
    """What a page-locked array has as its base."""

    def __init__(self, cuda: FakeCuda, memory: np.ndarray) -> None:
        self._cuda, self.base = cuda, memory
        self.__array_interface__ = memory.__array_interface__

    def free(self) -> None:
        self._cuda.unpin(self.base)


class _Stream:
    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda, self.handle = cuda, cuda.stream()

    def synchronize(self) -> None:
        self._cuda.synchronize(self.handle)

    def __del__(self) -> None:
        self._cuda.destroy_stream(self.handle)


class _Event:
    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda, self._mark = cuda, 0

    def record(self, stream: _Stream) -> None:
        self._mark = self._cuda.event(stream.handle)

    def time_till(self, other: _Event) -> float:
        return self._cuda.elapsed_ms(self._mark, other._mark)


class _Memcpy2D:
    dst_pitch = src_pitch = width_in_bytes = height = 0

    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda = cuda
        self._target = self._source = 0

    def set_dst_device(self, address: int) -> None:
        self._target = address

    def set_src_device(self, address: int) -> None:
        self._source = address

    def __call__(self, stream: _Stream) -> None:
        target, source = (self._target, self.dst_pitch), (self._source, self.src_pitch)
        self._cuda.d2d_rows(target, source, (self.width_in_bytes, self.height), stream.handle)


class FakeGraphs:
    """Stands for ``DriverGraphs``."""

    def __init__(self, cuda: FakeCuda) -> None:
        self.begin, self.end = cuda.begin_capture, cuda.end_capture
        self.launch, self.destroy = cuda.launch, cuda.destroy_graph
