"""Execution contexts of one plan, and the runs that were captured as CUDA graphs.

A captured graph holds the state of the context it was captured from: that context may never be
given other shapes or addresses. So each graph has a context of its own. They run in turns, on one
stream, and share one block of scratch memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from device.engine.cuda import Cuda, Graph
from device.engine.device_memory import Arena
from device.engine.tensorrt_load import LoadedPlan, Shape
from device.engine.tensorrt_log import first_error, no_collection
from device.errors import BadFeed, EngineRunError

_SMALLER = "feed less at once, or build a larger profile"


class Context:
    """One execution context: shapes, addresses, and the order to run."""

    def __init__(self, plan: LoadedPlan, scratch: int, scratch_bytes: int) -> None:
        strategy = plan.trt.ExecutionContextAllocationStrategy.USER_MANAGED
        self._plan = plan
        with no_collection():
            self._context = plan.engine.create_execution_context(strategy)
        if self._context is None:
            raise self._failed("cannot make an execution context")
        if hasattr(self._context, "set_device_memory"):  # 10.1 and later
            self._context.set_device_memory(scratch, scratch_bytes)
        else:
            self._context.device_memory = scratch

    @property
    def raw(self) -> Any:
        """TensorRT's own object."""
        return self._context

    def shape(self, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
        """Set the inputs' shapes; gives the outputs'.

        Raises:
            BadFeed: the plan does not take them.
        """
        for name, shape in shapes.items():
            self._plan.inputs[name].check(shape)
            if not self._context.set_input_shape(name, shape):
                raise BadFeed(name, f"is {list(shape)}, which the plan refuses", _SMALLER)
        found = {name: tuple(self._context.get_tensor_shape(name)) for name in self._plan.outputs}
        unknown = [name for name, shape in found.items() if any(dim < 0 for dim in shape)]
        if unknown:
            raise self._failed(f"shapes of {unknown} do not follow from the inputs")
        return found

    def bind(self, addresses: Mapping[str, int]) -> None:
        """Set the address of every input and output.

        Raises:
            EngineRunError: TensorRT refuses one.
        """
        for name, address in addresses.items():
            if not self._context.set_tensor_address(name, address):
                raise self._failed(f"tensor {name!r} cannot lie at that address")

    def enqueue(self, stream: int) -> None:
        """Put one run on the stream.

        Raises:
            EngineRunError: TensorRT refuses.
        """
        if not self._context.execute_async_v3(stream):
            raise self._failed("the run was refused")

    def _failed(self, problem: str) -> EngineRunError:
        said = first_error(self._plan.logger, problem)
        return EngineRunError(self._plan.spec.part, said, "see linnet engine selftest")


@dataclass(frozen=True)
class Captured:
    """A run that can be launched again: same shapes, same addresses."""

    graph: Graph
    context: Context
    outputs: dict[str, Shape]


class Contexts:
    """All contexts of one plan."""

    def __init__(self, plan: LoadedPlan, arena: Arena) -> None:
        engine = plan.engine
        size = getattr(engine, "device_memory_size_v2", None)  # 10.1 and later
        self.scratch_bytes = int(engine.device_memory_size if size is None else size)
        self._plan, self._scratch = plan, arena.alloc(self.scratch_bytes)
        self.eager = self.new()

    def new(self) -> Context:
        """Another context on the same scratch memory."""
        return Context(self._plan, self._scratch, self.scratch_bytes)


class Graphs:
    """Captured runs, by shapes and state; the second run of a kind is captured.

    Args:
        most: graphs to keep; each costs a context.
    """

    def __init__(self, cuda: Cuda, most: int = 32) -> None:
        self._cuda, self._most = cuda, most
        self._captured: dict[Key, Captured] = {}
        self._seen: set[Key] = set()

    def __len__(self) -> int:
        return len(self._captured)

    def get(self, key: Key) -> Captured | None:
        """The captured run of this kind."""
        return self._captured.get(key)

    def worth(self, key: Key) -> bool:
        """Whether this run should be captured: its kind came before and there is room."""
        if key in self._seen:
            return len(self._captured) < self._most
        if len(self._seen) >= 8 * self._most:
            self._seen.clear()
        self._seen.add(key)
        return False

    def capture(self, key: Key, context: Context, outputs: dict[str, Shape], stream: int) -> None:
        """Capture one run of a context that has just run eagerly, shapes and addresses set.

        Raises:
            CudaError, EngineRunError: it cannot be captured; the stream is usable again.
        """
        self._cuda.begin_capture(stream)
        try:
            context.enqueue(stream)
        except EngineRunError:
            self._cuda.destroy_graph(self._cuda.end_capture(stream))
            raise
        graph = self._cuda.end_capture(stream)
        self._captured[key] = Captured(graph, context, outputs)

    def forget(self, address: int | None = None) -> None:
        """Give back the graphs of the state at ``address``; None gives back all."""
        for key in [key for key in self._captured if address in (None, key[0])]:
            self._cuda.destroy_graph(self._captured.pop(key).graph)
        self._seen = {key for key in self._seen if address not in (None, key[0])}


Key = tuple[int, tuple[Shape, ...]]
"""The state's address and the shapes of all inputs."""
