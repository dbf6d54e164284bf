"""A GPU in numpy: its memory, streams, graphs and context, as strict as the real one is silent.

Nothing on a stream is done before it is waited for, memory that was never written is NaN, an
address outside an allocation is an error, and so is any call on a thread without the context.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from device.engine.cuda import ALIGNMENT
from device.errors import CudaError

Work = Callable[[], None]
GUARD = 1 << 20  # bytes of no man's land between two allocations


@dataclass
class FakeStream:
    waiting: list[Work] = field(default_factory=list)
    captured: list[Work] | None = None


@dataclass(eq=False)
class FakeGraph:
    work: list[Work]
    launches: int = 0


def wrong(problem: str) -> CudaError:
    return CudaError("fake GPU", problem, "mend the caller")


class FakeCuda:
    """See the module; ``capacity`` bytes of memory, and ``calls`` says in what order."""

    name = "Fake Orin"

    def __init__(self, sm: int = 87, capacity: int = 1 << 30) -> None:
        self.sm, self.capacity = sm, capacity
        self.calls: list[str] = []
        self.pushes: list[int] = []
        self.graphs: set[FakeGraph] = set()
        self._memory: dict[int, np.ndarray] = {}
        self._pins: dict[int, np.ndarray] = {}
        self._streams: dict[int, FakeStream] = {}
        self._next, self._next_stream = 0x7F00_0000_0000, 1
        self._current = threading.local()
        self.refuse_capture = False

    # The context.

    @property
    def depth(self) -> int:
        """How often the context was pushed on this thread and not popped."""
        return getattr(self._current, "depth", 0)

    def push(self) -> None:
        self._current.depth = self.depth + 1
        self.pushes.append(threading.get_ident())

    def pop(self) -> None:
        if not self.depth:
            raise wrong("pop without push")
        self._current.depth -= 1

    def _note(self, call: str) -> None:
        if not self.depth:
            raise wrong(f"{call} on a thread without the context")
        self.calls.append(call)

    # Memory.

    @property
    def held(self) -> dict[str, int]:
        """What was taken and not given back."""
        return {
            "bytes": sum(map(len, self._memory.values())),
            "pinned": len(self._pins),
            "streams": len(self._streams),
            "graphs": len(self.graphs),
        }

    def alloc(self, size: int) -> int:
        self._note("alloc")
        if size < 1:
            raise wrong(f"an allocation of {size} bytes")
        if self.held["bytes"] + size > self.capacity:
            raise wrong("out of memory")
        address = self._next
        self._memory[address] = np.full(size, 0xFF, np.uint8)  # NaN in every float type
        self._next += -(-(size + GUARD) // ALIGNMENT) * ALIGNMENT
        return address

    def free(self, address: int) -> None:
        self._note("free")
        self._all_done()  # as cuMemFree waits
        if self._memory.pop(address, None) is None:
            raise wrong("free of what is not allocated")

    def at(self, address: int, size: int) -> np.ndarray:
        """The bytes at an address."""
        for base, memory in self._memory.items():
            if base <= address and address + size <= base + len(memory):
                return memory[address - base : address - base + size]
        raise wrong(f"{size} bytes at {address:#x} are in no allocation")

    def pinned(self, size: int) -> np.ndarray:
        self._note("pinned")
        memory = np.full(size, 0xFF, np.uint8)
        self._pins[id(memory)] = memory
        return memory

    def unpin(self, memory: np.ndarray) -> None:
        self._note("unpin")
        self._all_done()
        if self._pins.pop(id(memory), None) is None:
            raise wrong("unpin of what is not pinned")

    def _must_be_pinned(self, host: np.ndarray) -> None:
        base = host
        while base.base is not None:
            base = base.base
        if id(base) not in self._pins:
            raise wrong("a copy on a stream of memory that is not page-locked")

    def memory(self) -> tuple[int, int]:
        self._note("memory")
        return self.capacity - self.held["bytes"], self.capacity

    # Streams.

    def stream(self) -> int:
        self._note("stream")
        handle, self._next_stream = self._next_stream, self._next_stream + 1
        self._streams[handle] = FakeStream()
        return handle

    def destroy_stream(self, stream: int) -> None:
        self._note("destroy_stream")
        self._streams.pop(stream)

    def submit(self, stream: int, work: Work) -> None:
        """Put work on a stream, or into what it captures."""
        on = self._streams[stream]
        (on.waiting if on.captured is None else on.captured).append(work)

    def capturing(self, stream: int) -> bool:
        return self._streams[stream].captured is not None

    def synchronize(self, stream: int) -> None:
        self._note("synchronize")
        if self.capturing(stream):
            raise wrong("waiting for a stream that captures")
        waiting, self._streams[stream].waiting = self._streams[stream].waiting, []
        for work in waiting:
            work()

    def _all_done(self) -> None:
        for stream in self._streams.values():
            waiting, stream.waiting = stream.waiting, []
            for work in waiting:
                work()

    # Copies.

    def zero(self, address: int, size: int, stream: int) -> None:
        self._note("zero")
        self.submit(stream, lambda: self.at(address, size).fill(0))

    def h2d(self, target: int, source: np.ndarray, stream: int) -> None:
        self._note("h2d")
        self._must_be_pinned(source)

        def work() -> None:
            self.at(target, len(source))[:] = source

        self.submit(stream, work)

    def d2h(self, target: np.ndarray, source: int, stream: int) -> None:
        self._note("d2h")
        self._must_be_pinned(target)

        def work() -> None:
            target[:] = self.at(source, len(target))

        self.submit(stream, work)

    def d2d(self, target: int, source: int, size: int, stream: int) -> None:
        self._note("d2d")
        self.submit(stream, lambda: self._move(target, source, size))

    def d2d_rows(
        self, target: tuple[int, int], source: tuple[int, int], stripe: tuple[int, int], stream: int
    ) -> None:
        self._note("d2d_rows")
        size, count = stripe
        if size > min(target[1], source[1]):
            raise wrong(f"stripes of {size} bytes at pitches of {target[1]} and {source[1]}")

        def work() -> None:
            for index in range(count):
                to, by = target[0] + index * target[1], source[0] + index * source[1]
                self._move(to, by, size)

        self.submit(stream, work)

    def _move(self, target: int, source: int, size: int) -> None:
        if abs(target - source) < size:
            raise wrong("a copy onto itself")
        self.at(target, size)[:] = self.at(source, size)

    # Time: one millisecond a call.

    def event(self, stream: int) -> int:
        self._note("event")
        return len(self.calls)

    def elapsed_ms(self, first: int, second: int) -> float:
        return float(second - first)

    # Graphs.

    def begin_capture(self, stream: int) -> None:
        self._note("begin_capture")
        if self.refuse_capture:
            raise wrong("this driver captures nothing")
        self._streams[stream].captured = []

    def end_capture(self, stream: int) -> FakeGraph:
        self._note("end_capture")
        captured, self._streams[stream].captured = self._streams[stream].captured, None
        if captured is None:
            raise wrong("the end of a capture that was not begun")
        graph = FakeGraph(captured)
        self.graphs.add(graph)
        return graph

    def launch(self, graph: FakeGraph, stream: int) -> None:
        self._note("launch")
        if graph not in self.graphs:
            raise wrong("launch of a graph that was given back")
        graph.launches += 1
        for work in graph.work:
            self.submit(stream, work)

    def destroy_graph(self, graph: FakeGraph) -> None:
        self._note("destroy_graph")
        self.graphs.remove(graph)
