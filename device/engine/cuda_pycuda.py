"""CUDA through pycuda, in the primary context: the one that TensorRT uses too.

``pycuda.autoinit`` would make a context of its own, in which TensorRT's handles mean nothing. The
driver module is a parameter, so that the calls can be tried without a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from device.engine.cuda import Event, Graph, HostBytes, Pitched
from device.engine.cuda_graphs import DriverGraphs
from device.errors import CudaError

_NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING: never waits for the default stream
F = TypeVar("F", bound=Callable[..., Any])


def _told(call: F) -> F:
    """What pycuda raises becomes a ``CudaError``."""

    @wraps(call)
    def told(self: PyCuda, *args: Any) -> Any:
        with self.faults(call.__name__):
            return call(self, *args)

    return told  # type: ignore[return-value]  # same arguments, same result


class PyCuda:
    """See ``device.engine.cuda.Cuda``, which says what each call does.

    Args:
        driver: ``pycuda.driver``.
        graphs: how streams are captured.

    Raises:
        CudaError: there is no GPU, or no driver that fits.
    """

    def __init__(self, driver: Any, graphs: DriverGraphs) -> None:
        self._driver, self._graphs = driver, graphs
        self._streams: dict[int, Any] = {}
        self._memory: dict[int, Any] = {}
        with self.faults("start"):
            driver.init()
            device = driver.Device(0)
            self._context = device.retain_primary_context()
            self.name = str(device.name())
            major, minor = device.compute_capability()
        self.sm = 10 * int(major) + int(minor)

    @contextmanager
    def faults(self, what: str) -> Iterator[None]:
        """Turn pycuda's errors into ours."""
        try:
            yield
        except self._driver.Error as error:
            raise CudaError("GPU", f"{what}: {error}", "see linnet engine selftest") from error

    @_told
    def push(self) -> None:
        self._context.push()

    @_told
    def pop(self) -> None:
        self._driver.Context.pop()

    @_told
    def alloc(self, size: int) -> int:
        memory = self._driver.mem_alloc(size)
        self._memory[int(memory)] = memory
        return int(memory)

    @_told
    def free(self, address: int) -> None:
        self._memory.pop(address).free()

    @_told
    def pinned(self, size: int) -> HostBytes:
        memory: HostBytes = self._driver.pagelocked_empty(size, np.uint8)
        return memory

    @_told
    def unpin(self, memory: HostBytes) -> None:
        base: Any = memory.base
        base.free()

    @_told
    def stream(self) -> int:
        stream = self._driver.Stream(_NON_BLOCKING)
        self._streams[int(stream.handle)] = stream
        return int(stream.handle)

    @_told
    def destroy_stream(self, stream: int) -> None:
        del self._streams[stream]  # pycuda destroys it with the object

    @_told
    def zero(self, address: int, size: int, stream: int) -> None:
        self._driver.memset_d8_async(address, 0, size, self._streams[stream])

    @_told
    def h2d(self, target: int, source: HostBytes, stream: int) -> None:
        self._driver.memcpy_htod_async(target, source, self._streams[stream])

    @_told
    def d2h(self, target: HostBytes, source: int, stream: int) -> None:
        self._driver.memcpy_dtoh_async(target, source, self._streams[stream])

    @_told
    def d2d(self, target: int, source: int, size: int, stream: int) -> None:
        self._driver.memcpy_dtod_async(target, source, size, self._streams[stream])

    @_told
    def d2d_rows(
        self, target: Pitched, source: Pitched, stripe: tuple[int, int], stream: int
    ) -> None:
        copy = self._driver.Memcpy2D()
        copy.set_dst_device(target[0])
        copy.set_src_device(source[0])
        copy.dst_pitch, copy.src_pitch = target[1], source[1]
        copy.width_in_bytes, copy.height = stripe
        copy(self._streams[stream])

    @_told
    def synchronize(self, stream: int) -> None:
        self._streams[stream].synchronize()

    @_told
    def event(self, stream: int) -> Event:
        event = self._driver.Event()
        event.record(self._streams[stream])
        return event

    @_told
    def elapsed_ms(self, first: Event, second: Event) -> float:
        return float(first.time_till(second))

    def begin_capture(self, stream: int) -> None:
        self._graphs.begin(stream)

    def end_capture(self, stream: int) -> Graph:
        return self._graphs.end(stream)

    def launch(self, graph: Graph, stream: int) -> None:
        self._graphs.launch(graph, stream)

    def destroy_graph(self, graph: Graph) -> None:
        self._graphs.destroy(graph)

    @_told
    def memory(self) -> tuple[int, int]:
        free, total = self._driver.mem_get_info()
        return int(free), int(total)
