"""What the TensorRT backend needs of CUDA: fifteen operations, and nothing that knows a graph.

Addresses are plain integers, as TensorRT takes them. Copies are put on a stream and are done only
after ``synchronize``: until then neither the host memory nor the device memory may be touched. All
calls but ``push`` need the context, which ``push`` makes current to the calling thread: see
``device.engine.inference_thread``.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

ALIGNMENT = 256  # bytes: what ``setTensorAddress`` asks for and what an allocation begins on

HostBytes = npt.NDArray[np.uint8]
Graph = Any
Event = Any


class Cuda(Protocol):
    """One GPU. Whatever it refuses is a ``CudaError``."""

    name: str
    """As the driver calls the GPU."""
    sm: int
    """Its generation, e.g. 87 for every Orin."""

    def push(self) -> None:
        """Make the context current to this thread; ``pop`` ends that."""
        ...

    def pop(self) -> None:
        """Take the context from this thread again."""
        ...

    def alloc(self, size: int) -> int:
        """``size`` bytes on the device; the address is a multiple of ``ALIGNMENT``."""
        ...

    def free(self, address: int) -> None:
        """Give back what ``alloc`` gave."""
        ...

    def pinned(self, size: int) -> HostBytes:
        """``size`` bytes of page-locked host memory, which copies run from at full speed."""
        ...

    def unpin(self, memory: HostBytes) -> None:
        """Give back what ``pinned`` gave."""
        ...

    def stream(self) -> int:
        """A new stream's handle; never the default stream, which cannot be captured."""
        ...

    def destroy_stream(self, stream: int) -> None:
        """Give a stream back."""
        ...

    def zero(self, address: int, size: int, stream: int) -> None:
        """Set ``size`` bytes to zero."""
        ...

    def h2d(self, target: int, source: HostBytes, stream: int) -> None:
        """Copy all of ``source`` to the device."""
        ...

    def d2h(self, target: HostBytes, source: int, stream: int) -> None:
        """Fill ``target`` from the device."""
        ...

    def d2d(self, target: int, source: int, size: int, stream: int) -> None:
        """Copy ``size`` bytes on the device; the two may not overlap."""
        ...

    def d2d_rows(
        self, target: Pitched, source: Pitched, stripe: tuple[int, int], stream: int
    ) -> None:
        """Copy ``stripe = (bytes, count)``: so many bytes at every pitch, in one operation."""
        ...

    def synchronize(self, stream: int) -> None:
        """Wait until everything on the stream is done."""
        ...

    def event(self, stream: int) -> Event:
        """A mark in time, once the stream reaches it."""
        ...

    def elapsed_ms(self, first: Event, second: Event) -> float:
        """Milliseconds between two marks that were reached."""
        ...

    def begin_capture(self, stream: int) -> None:
        """Record what is put on the stream from now on, instead of doing it."""
        ...

    def end_capture(self, stream: int) -> Graph:
        """What was recorded, ready to be launched: shapes and addresses are those of then."""
        ...

    def launch(self, graph: Graph, stream: int) -> None:
        """Do what was recorded."""
        ...

    def destroy_graph(self, graph: Graph) -> None:
        """Give a graph back."""
        ...

    def memory(self) -> tuple[int, int]:
        """Bytes free and bytes in all; on a Jetson of the memory that the processor shares."""
        ...


Pitched = tuple[int, int]
"""An address, and the bytes from one stripe to the next."""
