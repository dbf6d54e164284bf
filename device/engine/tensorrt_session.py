"""One opened plan: its contexts, graphs, memory and stream, and one step on them.

It knows shapes and addresses; which past is fed, and padded how, is decided by its engine. For the
inference thread only.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from device.engine.contract import Array, EngineSpec
from device.engine.cuda import Cuda
from device.engine.device_io import DeviceIo
from device.engine.device_memory import Arena
from device.engine.device_state import DeviceState
from device.engine.tensorrt_contexts import Context, Contexts, Graphs, Key
from device.engine.tensorrt_load import Shape, load_plan
from device.engine.tensorrt_log import TensorRT
from device.errors import CudaError, EngineError, EngineRunError

log = logging.getLogger(__name__)


class Session:
    """An opened plan.

    Attributes:
        arena: all device memory it holds.
        new_rows: rows that one run may add to the caches.
        greatest: largest shape of each input, by name.

    Raises:
        EngineLoadError: see ``load_plan``.
        CudaError: the memory does not suffice.
    """

    def __init__(self, trt: TensorRT, spec: EngineSpec, path: Path, cuda: Cuda) -> None:
        self.spec, self.cuda = spec, cuda
        self.plan = load_plan(trt, spec, path)
        self.arena, self.graphs, self.stream = Arena(cuda), Graphs(cuda), cuda.stream()
        self._capturing = True
        try:
            self.contexts = Contexts(self.plan, self.arena)
            self.greatest = {name: t.greatest for name, t in self.plan.inputs.items()}
            outputs = self.contexts.eager.shape(self.greatest)
            self._in = DeviceIo(self.arena, cuda, spec.inputs, self.greatest)
            self._out = DeviceIo(self.arena, cuda, spec.outputs, outputs)
        except BaseException:
            self.close()
            raise
        self.new_rows = self._rows(outputs)

    def _rows(self, outputs: Mapping[str, Shape]) -> int:
        """Rows that a run with outputs of these shapes adds to the caches."""
        names = [tensor.next_name for tensor in self.spec.state if tensor.is_cache]
        return outputs[names[0]][0] if names else 0

    def step(
        self,
        fed: Mapping[str, Array],
        state_shapes: Mapping[str, Shape],
        state: DeviceState | None,
        *,
        graphs: bool,
    ) -> dict[str, Array]:
        """Run once.

        Args:
            fed: the part's inputs; masks as wide as ``state_shapes`` say.
            state_shapes: shapes in which the state's tensors are read.
            graphs: whether this run may be captured, or be one that was.

        Raises:
            BadFeed, StateError, EngineRunError, CudaError: the state is as it was.
        """
        shapes = {name: tuple(array.shape) for name, array in fed.items()} | dict(state_shapes)
        key = (state.address if state else 0, tuple(shapes[t.name] for t in self.spec.graph_inputs))
        captured = self.graphs.get(key) if graphs else None
        if captured is not None:
            outputs = captured.outputs
            self._prepare(fed, state, outputs, fixed=True)
            self.cuda.launch(captured.graph, self.stream)
            found = self._collect(outputs)
            self._commit(state, outputs, fixed=True)
            return found
        capture = graphs and self._capturing and self.graphs.worth(key)
        own = self._own_context() if capture else None
        context = own or self.contexts.eager
        outputs = context.shape(shapes)
        found = self._eagerly(context, fed, state, outputs, fixed=own is not None)
        if own is not None:
            self._capture(key, own, outputs)
        return found

    def _own_context(self) -> Context | None:
        """A context for a graph; None where TensorRT has no room for another one."""
        try:
            return self.contexts.new()
        except EngineRunError as error:
            self._no_graphs(error)
            return None

    def _eagerly(
        self,
        context: Context,
        fed: Mapping[str, Array],
        state: DeviceState | None,
        outputs: Mapping[str, Shape],
        *,
        fixed: bool,
    ) -> dict[str, Array]:
        context.bind(self._prepare(fed, state, outputs, fixed=fixed))
        try:
            context.enqueue(self.stream)
        except EngineRunError:
            self.cuda.synchronize(self.stream)  # copies on their way may not outlive the step
            raise
        found = self._collect(outputs)
        self._commit(state, outputs, fixed=fixed)
        return found

    def _prepare(
        self,
        fed: Mapping[str, Array],
        state: DeviceState | None,
        outputs: Mapping[str, Shape],
        *,
        fixed: bool,
    ) -> dict[str, int]:
        """Put the inputs where they are read; gives the address of every tensor."""
        addresses = self._in.addresses | self._out.addresses
        if state is not None:
            # First what may be refused: then nothing is on its way yet.
            addresses |= state.targets(self._rows(outputs), fixed=fixed)
            addresses |= state.sources(self.cuda, self.stream, fixed=fixed)
        for name, array in fed.items():
            self._in.put(name, array, self.stream)
        return addresses

    def _collect(self, outputs: Mapping[str, Shape]) -> dict[str, Array]:
        names = [tensor.name for tensor in self.spec.outputs]
        for name in names:
            self._out.fetch(name, outputs[name], self.stream)
        self.cuda.synchronize(self.stream)
        return {name: self._out.take(name, outputs[name]) for name in names}

    def _commit(
        self, state: DeviceState | None, outputs: Mapping[str, Shape], *, fixed: bool
    ) -> None:
        if state is not None:
            state.commit(self.cuda, self.stream, self._rows(outputs), fixed=fixed)

    def _capture(self, key: Key, context: Context, outputs: dict[str, Shape]) -> None:
        try:
            self.graphs.capture(key, context, outputs, self.stream)
        except (CudaError, EngineRunError) as error:
            self._no_graphs(error)

    def _no_graphs(self, error: EngineError) -> None:
        self._capturing = False
        # As text: a record that keeps the error keeps its frames, and with them a state.
        log.warning("part %r runs without new CUDA graphs: %s", self.spec.part, str(error))

    def inspect(self) -> str:
        """TensorRT's own description of the plan's layers, as JSON."""
        # Types are only told for a context whose shapes are known.
        self.contexts.eager.shape(self.greatest)
        inspector = self.plan.engine.create_engine_inspector()
        inspector.execution_context = self.contexts.eager.raw
        return str(inspector.get_engine_information(self.plan.trt.LayerInformationFormat.JSON))

    def close(self) -> None:
        """Give everything back."""
        self.graphs.forget()
        self.cuda.synchronize(self.stream)
        self.cuda.destroy_stream(self.stream)
        self.arena.close()
