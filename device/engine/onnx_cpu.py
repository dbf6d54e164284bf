"""ONNX Runtime on the CPU: the embedded default.

One thread and no spinning by default: models of this size gain nothing from a second thread, and
spinning would take the core from the sound threads. State is fed as contiguous prefix views and
new rows are copied in by numpy, which costs less than binding addresses from Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from device.bundle import BundlePart
from device.engine import x86_uint8
from device.engine.contract import Array, EngineSpec, State, TensorSpec
from device.engine.feeds import FeedCheck
from device.engine.states import EngineState
from device.errors import EngineLoadError, EngineRunError, MissingPart, StateError, WrongShape

_LOAD_FAULTS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoModel,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
_RUN_FAULTS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
QUANTISED = ("w8a8", "w8", "w4")
_ORT_TYPES = {
    "tensor(float)": "f32",
    "tensor(float16)": "f16",
    "tensor(int64)": "i64",
    "tensor(int32)": "i32",
}


class OnnxCpuEngine:
    """One graph in an ONNX Runtime session.

    Args:
        part: a verified graph.
        threads: threads inside one operator.

    Raises:
        EngineLoadError: ONNX Runtime refuses the graph.
        WrongShape: the graph's inputs or outputs are not those of the manifest.
    """

    backend = "onnx"

    def __init__(self, part: BundlePart, threads: int = 1) -> None:
        self.spec: EngineSpec = part.spec
        self.moved_to_uint8 = 0
        self._session: ort.InferenceSession | None = self._open(part.path, threads)
        _check_graph(part.path, "input", self._session.get_inputs(), self.spec.graph_inputs)
        _check_graph(part.path, "output", self._session.get_outputs(), self.spec.graph_outputs)
        self._feeds = FeedCheck(self.spec.part, self.spec.graph_inputs)
        # In the session's own order; the manifest's may differ.
        self._outputs = [output.name for output in self._session.get_outputs()]

    def _open(self, path: Path, threads: int) -> ort.InferenceSession:
        source: str | bytes = str(path)
        try:
            if x86_uint8.is_x86() and x86_uint8.has_int8_activations(path):
                source, self.moved_to_uint8 = x86_uint8.rewritten(path)
            return _session(source, threads, quantised=self.spec.precision in QUANTISED)
        except ImportError as error:
            raise EngineLoadError(str(path), f"{error}", "install the onnx package") from error
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
            raise MissingPart(str(path), problem, "fetch the bundle again") from error
        except ValueError as error:
            problem = f"is no ONNX graph: {_one_line(error)}"
            raise EngineLoadError(str(path), problem, "export the part again") from error
        except _LOAD_FAULTS as error:
            problem = f"ONNX Runtime refuses it: {_one_line(error)}"
            raise EngineLoadError(str(path), problem, "export the part again") from error

    def new_state(self, max_len: int, window: int | None = None) -> EngineState:
        """Empty caches and tails of zeros; see ``Engine.new_state``."""
        return EngineState(self.spec.state, max_len, window)

    def run(self, feeds: Mapping[str, Array], state: State | None = None) -> dict[str, Array]:
        """Run once; see ``Engine.run``."""
        if self._session is None:
            raise EngineRunError(self.spec.part, "is closed", "open it again")
        if state is not None and not isinstance(state, EngineState):
            raise StateError(self.spec.part, "was given another engine's state", "make a new one")
        fed = dict(feeds) if state is None else {**feeds, **state.feeds()}
        self._feeds.check(fed)
        try:
            results = self._session.run(self._outputs, fed)
        except _RUN_FAULTS as error:
            raise EngineRunError(
                self.spec.part, _one_line(error), "check the sizes of what was fed"
            ) from error
        outputs = dict(zip(self._outputs, results, strict=True))
        if state is None:
            return outputs
        state.absorb(outputs)
        return {name: array for name, array in outputs.items() if name not in state.outputs}

    def warm_up(self, sizes: Mapping[str, int]) -> None:
        """Run once on zeros of these named sizes."""
        self.run(
            {
                tensor.name: np.zeros(tensor.shape(sizes), tensor.numpy_dtype)
                for tensor in self.spec.graph_inputs
            }
        )

    def close(self) -> None:
        """Give the session back."""
        self._session = None


def _session(source: str | bytes, threads: int, *, quantised: bool) -> ort.InferenceSession:
    # It makes a Gemm of a linear layer's MatMul and Add, for which there is no int8 kernel with a
    # float bias: the weight would be dequantised on every run (30 times slower, measured).
    disabled = ["MatMulAddFusion"] if quantised else []
    return ort.InferenceSession(
        source, _options(threads), ["CPUExecutionProvider"], disabled_optimizers=disabled
    )


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3  # errors; they come back as exceptions too
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    if x86_uint8.is_x86() and not x86_uint8.has_vnni():
        # Such a machine adds uint8 * int8 products in 16 bits, which can overflow. This asks for
        # exact kernels; with VNNI they are exact already, and this would make them 4 times slower.
        options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def _check_graph(
    path: Path, kind: str, found: list[ort.NodeArg], declared: tuple[TensorSpec, ...]
) -> None:
    """Refuse a graph whose names, types, ranks or fixed sizes differ from the manifest's."""
    by_name = {tensor.name: tensor for tensor in declared}
    names = {argument.name for argument in found}
    if names != by_name.keys():
        extra, absent = sorted(names - by_name.keys()), sorted(by_name.keys() - names)
        problem = f"{kind}s differ: graph alone has {extra}, manifest alone has {absent}"
        raise WrongShape(str(path), problem, "export the bundle again")
    for argument in found:
        spec = by_name[argument.name]
        if _ORT_TYPES.get(argument.type) != spec.dtype or not _fits(argument.shape, spec.dims):
            problem = (
                f"{kind} {argument.name!r} is {argument.type}{argument.shape} in the graph and "
                f"{spec.dtype}{list(spec.dims)} in the manifest"
            )
            raise WrongShape(str(path), problem, "export the bundle again")


def _fits(shape: list[int | str | None], dims: tuple[int | str, ...]) -> bool:
    """True when ranks agree and no size that both sides fix differs."""
    return len(shape) == len(dims) and all(
        a == b
        for a, b in zip(shape, dims, strict=True)
        if isinstance(a, int) and isinstance(b, int)
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:400]
