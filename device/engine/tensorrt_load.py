"""A plan, deserialised and checked against the manifest: nothing runs here."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device.engine.contract import DType, EngineSpec, TensorSpec
from device.engine.tensorrt_log import TensorRT, collecting_logger, first_error, no_collection
from device.errors import BadFeed, EngineLoadError

_REBUILD = "build it again: linnet engine build"
Shape = tuple[int, ...]


@dataclass(frozen=True)
class PlanTensor:
    """One input or output of a plan; ``least`` and ``greatest`` shapes are those of its profile.

    They are empty for outputs, whose shapes follow from those of the inputs.
    """

    spec: TensorSpec
    least: Shape = ()
    greatest: Shape = ()

    def check(self, shape: Shape) -> None:
        """Refuse a shape that the plan was not built for.

        Raises:
            BadFeed: says which and what the plan takes.
        """
        if all(a <= b <= c for a, b, c in zip(self.least, shape, self.greatest, strict=True)):
            return
        problem = f"is {list(shape)}; the plan takes {list(self.least)} to {list(self.greatest)}"
        raise BadFeed(self.spec.name, problem, "feed less at once, or build a larger profile")


@dataclass(frozen=True)
class LoadedPlan:
    """What TensorRT made of a plan; ``runtime`` and ``logger`` must live as long as ``engine``."""

    spec: EngineSpec
    trt: TensorRT
    engine: Any
    runtime: Any
    logger: Any
    inputs: Mapping[str, PlanTensor]
    outputs: Mapping[str, PlanTensor]
    plan_bytes: int


def load_plan(trt: TensorRT, spec: EngineSpec, path: Path) -> LoadedPlan:
    """Deserialise a plan; on the thread that will run it.

    Raises:
        EngineLoadError: it cannot be read, TensorRT refuses it, or it is of another graph.
    """
    logger = collecting_logger(trt)
    try:
        # Mapped, not read: on a Jetson a copy on the heap would take the GPU's own memory.
        with (
            path.open("rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as m,
            no_collection(),
        ):
            runtime = trt.Runtime(logger)
            engine, size = runtime.deserialize_cuda_engine(m), len(m)
    except (OSError, ValueError) as error:
        raise EngineLoadError(str(path), f"cannot be read: {error}", _REBUILD) from error
    if engine is None:
        said = first_error(logger, "TensorRT refuses it and said nothing")
        raise EngineLoadError(str(path), said, _REBUILD)
    found = _io(trt, engine)
    _check(path, "input", found["INPUT"], spec.graph_inputs)
    _check(path, "output", found["OUTPUT"], spec.graph_outputs)
    inputs = {
        tensor.name: PlanTensor(tensor, *_profile(engine, tensor.name))
        for tensor in spec.graph_inputs
    }
    outputs = {tensor.name: PlanTensor(tensor) for tensor in spec.graph_outputs}
    return LoadedPlan(spec, trt, engine, runtime, logger, inputs, outputs, size)


def _profile(engine: Any, name: str) -> tuple[Shape, Shape]:
    least, _, greatest = engine.get_tensor_profile_shape(name, 0)
    return tuple(least), tuple(greatest)


def _io(trt: TensorRT, engine: Any) -> dict[str, dict[str, tuple[Any, Shape]]]:
    """Type and dims (-1 for open ones) of every tensor, by direction and name."""
    found: dict[str, dict[str, tuple[Any, Shape]]] = {"INPUT": {}, "OUTPUT": {}}
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
        dtype = _types(trt).get(engine.get_tensor_dtype(name))
        dims = tuple(engine.get_tensor_shape(name))
        found["INPUT" if is_input else "OUTPUT"][name] = dtype, dims
    return found


def _types(trt: TensorRT) -> dict[Any, DType]:
    kinds = trt.DataType
    return {kinds.FLOAT: "f32", kinds.HALF: "f16", kinds.INT64: "i64", kinds.INT32: "i32"}


def _check(
    path: Path,
    kind: str,
    found: Mapping[str, tuple[Any, Shape]],
    declared: tuple[TensorSpec, ...],
) -> None:
    by_name = {tensor.name: tensor for tensor in declared}
    if found.keys() != by_name.keys():
        extra, absent = sorted(found.keys() - by_name.keys()), sorted(by_name.keys() - found.keys())
        problem = f"{kind}s differ: plan alone has {extra}, manifest alone has {absent}"
        raise EngineLoadError(str(path), problem, _REBUILD)
    for name, (dtype, dims) in found.items():
        tensor = by_name[name]
        if dtype != tensor.dtype or not _fits(dims, tensor.dims):
            problem = (
                f"{kind} {name!r} is {dtype}{list(dims)} in the plan and "
                f"{tensor.dtype}{list(tensor.dims)} in the manifest"
            )
            raise EngineLoadError(str(path), problem, _REBUILD)


def _fits(found: Shape, dims: tuple[int | str, ...]) -> bool:
    return len(found) == len(dims) and all(
        a == b or a < 0 for a, b in zip(found, dims, strict=True) if isinstance(b, int)
    )
