"""TensorRT as far as Linnet uses it: a plan holds the ONNX graph, ONNX Runtime computes it.

It reads and writes the memory of a ``FakeCuda`` at the addresses it is given, and complains of what
the real one would silently get wrong: addresses that are not aligned, shapes outside the profile,
a context that was changed after a graph was captured from it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx

from device.engine.contract import NUMPY_TYPES
from device.engine.cuda import ALIGNMENT
from device.engine.onnx_cpu import _session
from device.engine.x86_uint8 import has_int8_activations, rewritten
from device.errors import CudaError
from tests.support.fake_cuda import FakeCuda

SCRATCH = 4096  # bytes
_MAGIC = b"fake plan\n"
_ORT = {"tensor(float)": "f32", "tensor(float16)": "f16", "tensor(int64)": "i64"}


class Severity(Enum):
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class ILogger:
    Severity = Severity


class DataType(Enum):
    FLOAT, HALF, INT64, INT32 = "f32", "f16", "i64", "i32"


class TensorIOMode(Enum):
    NONE, INPUT, OUTPUT = range(3)


class FakeTensorRt:
    """The module: hand it to whoever takes ``tensorrt`` as a parameter."""

    __name__ = "tensorrt"
    ILogger, DataType, TensorIOMode = ILogger, DataType, TensorIOMode
    NetworkDefinitionCreationFlag = SimpleNamespace(STRONGLY_TYPED=1)
    MemoryPoolType = SimpleNamespace(WORKSPACE=0)
    ProfilingVerbosity = SimpleNamespace(DETAILED="detailed")
    LayerInformationFormat = SimpleNamespace(JSON="json")
    ExecutionContextAllocationStrategy = SimpleNamespace(USER_MANAGED="user")

    def __init__(self, cuda: FakeCuda, version: str = "10.3.0") -> None:
        self.__version__, self.cuda = version, cuda
        self.int8_kernels = True
        """False: the inspector says that every kernel runs in half precision."""
        self.contexts_left = 1000

    def Builder(self, logger: Any) -> _Builder:
        return _Builder(self, logger)

    def OnnxParser(self, network: Any, logger: Any) -> _Parser:
        return _Parser(network)

    def Runtime(self, logger: Any) -> _Runtime:
        return _Runtime(self, logger)


class _Profile:
    def __init__(self) -> None:
        self.shapes: dict[str, list[list[int]]] = {}

    def set_shape(self, name: str, *three: tuple[int, ...]) -> None:
        self.shapes[name] = [list(shape) for shape in three]


class _Config:
    profiling_verbosity = None

    def __init__(self) -> None:
        self.profile = _Profile()
        self.cache = SimpleNamespace(serialize=lambda: b"")

    def set_memory_pool_limit(self, pool: Any, size: int) -> None:
        assert size > 0

    def add_optimization_profile(self, profile: _Profile) -> int:
        self.profile = profile
        return 0

    def create_timing_cache(self, data: bytes) -> Any:
        return SimpleNamespace(serialize=lambda: data + b"timed;")

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> None:
        assert not ignore_mismatch
        self.cache = cache

    def get_timing_cache(self) -> Any:
        return self.cache


class _Builder:
    def __init__(self, trt: FakeTensorRt, logger: Any) -> None:
        self._trt, self._logger = trt, logger

    def create_network(self, flags: int) -> Any:
        return SimpleNamespace(path=None, num_layers=0)

    def create_builder_config(self) -> _Config:
        return _Config()

    def create_optimization_profile(self) -> _Profile:
        return _Profile()

    def build_serialized_network(self, network: Any, config: _Config) -> bytes | None:
        if config.profiling_verbosity is None:
            self._logger.log(Severity.ERROR, "nobody could inspect this plan")
            return None
        header = {
            "version": self._trt.__version__,
            "sm": self._trt.cuda.sm,
            "profile": config.profile.shapes,
        }
        return _MAGIC + json.dumps(header).encode() + b"\n" + network.path.read_bytes()


class _Parser:
    num_errors = 0

    def __init__(self, network: Any) -> None:
        self._network = network

    def parse_from_file(self, path: str) -> bool:
        self._network.path = Path(path)
        return True


class _Runtime:
    def __init__(self, trt: FakeTensorRt, logger: Any) -> None:
        self._trt, self._logger = trt, logger

    def deserialize_cuda_engine(self, data: Any) -> _Engine | None:
        plan = bytes(data)
        head, _, graph = plan.removeprefix(_MAGIC).partition(b"\n")
        if not plan.startswith(_MAGIC):
            self._logger.log(Severity.ERROR, "Serialization assertion failed: magic tag")
            return None
        header = json.loads(head)
        if (header["version"], header["sm"]) != (self._trt.__version__, self._trt.cuda.sm):
            self._logger.log(Severity.ERROR, "the plan is of another version or GPU")
            return None
        return _Engine(self._trt, header["profile"], graph)


class _Engine:
    device_memory_size_v2 = SCRATCH

    def __init__(self, trt: FakeTensorRt, profile: dict[str, Any], graph: bytes) -> None:
        self.trt, self.profile, self.graph = trt, profile, graph
        with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
            file.write(graph)
            file.flush()
            path = Path(file.name)
            source = rewritten(path)[0] if has_int8_activations(path) else str(path)
            self.session = _session(source, 1, quantised=True)
        self.inputs = {arg.name: arg for arg in self.session.get_inputs()}
        self.outputs = {arg.name: arg for arg in self.session.get_outputs()}
        self._shapes: dict[Any, dict[str, tuple[int, ...]]] = {}
        self.num_io_tensors = len(self.inputs) + len(self.outputs)

    def get_tensor_name(self, index: int) -> str:
        return [*self.inputs, *self.outputs][index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name in self.inputs else TensorIOMode.OUTPUT

    def _arg(self, name: str) -> Any:
        return self.inputs.get(name) or self.outputs[name]

    def get_tensor_dtype(self, name: str) -> DataType:
        return DataType(_ORT[self._arg(name).type])

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(dim if isinstance(dim, int) else -1 for dim in self._arg(name).shape)

    def get_tensor_profile_shape(self, name: str, index: int) -> list[tuple[int, ...]]:
        assert index == 0
        return [tuple(s) for s in self.profile.get(name, [self.get_tensor_shape(name)] * 3)]

    def output_shapes(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        """What the real one infers, found by running on zeros."""
        key = tuple(sorted(shapes.items()))
        if key not in self._shapes:
            zeros = {name: np.zeros(shape, self.dtype(name)) for name, shape in shapes.items()}
            found = self.session.run(list(self.outputs), zeros)
            self._shapes[key] = {
                name: array.shape for name, array in zip(self.outputs, found, strict=True)
            }
        return self._shapes[key]

    def dtype(self, name: str) -> np.dtype[Any]:
        return NUMPY_TYPES[_ORT[self._arg(name).type]]  # type: ignore[index]

    def create_execution_context(self, strategy: str) -> _Context | None:
        assert strategy == "user"
        self.trt.contexts_left -= 1
        if self.trt.contexts_left < 0:
            return None
        return _Context(self)

    def create_engine_inspector(self) -> _Inspector:
        return _Inspector(self)


class _Context:
    def __init__(self, engine: _Engine) -> None:
        self.engine, self._cuda = engine, engine.trt.cuda
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}
        self._changes = 0
        self._scratch = 0

    def set_device_memory(self, address: int, size: int) -> None:
        assert size >= SCRATCH
        self._scratch = address

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        least, _, greatest = self.engine.get_tensor_profile_shape(name, 0)
        if not all(a <= b <= c for a, b, c in zip(least, shape, greatest, strict=True)):
            return False
        self._changes += 1
        self.shapes[name] = tuple(shape)
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        if name in self.shapes:
            return self.shapes[name]
        return self.engine.output_shapes(self.shapes)[name]

    def set_tensor_address(self, name: str, address: int) -> bool:
        if address % ALIGNMENT:
            return False
        self._changes += 1
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        engine, cuda = self.engine, self._cuda
        cuda.at(self._scratch, SCRATCH)
        cuda._note("enqueue")
        if self._addresses.keys() != engine.inputs.keys() | engine.outputs.keys():
            return False
        shapes, addresses, changes = dict(self.shapes), dict(self._addresses), self._changes
        captured = cuda.capturing(stream)

        def read(name: str) -> np.ndarray:
            dtype = engine.dtype(name)
            size = int(np.prod(shapes[name], dtype=int)) * dtype.itemsize
            return cuda.at(addresses[name], size).view(dtype).reshape(shapes[name]).copy()

        def work() -> None:
            if captured and changes != self._changes:
                problem = "its context was changed after the capture"
                raise CudaError("fake GPU", problem, "keep a context for each graph")
            fed = {name: read(name) for name in engine.inputs}
            found = engine.session.run(list(engine.outputs), fed)
            for name, array in zip(engine.outputs, found, strict=True):
                data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
                cuda.at(addresses[name], len(data))[:] = data

        cuda.submit(stream, work)
        return True


class _Inspector:
    """Layers as TensorRT 10 describes them: types only for a context whose shapes are set."""

    def __init__(self, engine: _Engine) -> None:
        self._engine = engine
        self.execution_context: _Context | None = None

    def get_engine_information(self, form: str) -> str:
        assert form == "json"
        graph = onnx.load_model_from_string(self._engine.graph).graph
        made_by = {name: node.op_type for node in graph.node for name in node.output}
        shaped = self.execution_context is not None and self.execution_context.shapes
        layers = []
        for node in graph.node:
            if node.op_type not in ("MatMul", "Gemm", "Conv", "Softmax"):
                continue
            quantised = all(made_by.get(name) == "DequantizeLinear" for name in node.input[:2])
            kind = "Int8" if quantised and self._engine.trt.int8_kernels else "Half"
            kind = kind if shaped else "N/A due to dynamic shapes"
            layers.append(
                {
                    "Name": f"{node.name}_myl0_1",
                    "LayerType": "gemm",
                    "Inputs": [{"Name": node.input[0], "Format/Datatype": kind}],
                    "Outputs": [{"Name": node.output[0], "Format/Datatype": "Half"}],
                    "Metadata": f"[ONNX Layer: {node.name}]",
                }
            )
        return json.dumps({"Layers": layers, "Bindings": []})
