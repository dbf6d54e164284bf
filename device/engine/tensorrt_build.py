"""ONNX -> TensorRT plan, through TensorRT's Python API.

The module is a parameter: ``tensorrt`` on the box, ``tensorrt_rtx`` on a machine without a GPU (it
builds for a named GPU generation on the CPU). What differs between versions is asked for by name,
never by number, so that 10.3, 10.16 and 11 take the same path.

A plan fits one TensorRT version, one GPU model and one profile: it is built where it runs and never
shipped. A plan of ``tensorrt_rtx`` proves that a graph parses and builds, not which kernels run.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from device.bundle import BundlePart
from device.engine.contract import EngineSpec, TensorSpec
from device.engine.tensorrt_log import (
    TensorRT,
    collecting_logger,
    first_error,
    no_collection,
    one_line,
)
from device.errors import BadFeed, EngineError

WORKSPACE_MB = 1024
# How the builder, unlike the parser, names what it refuses: "ITopKLayer <node>: ...".
_LAYER = re.compile(r"\bI(\w+?)Layer ([^:\s]+):")
_SIZES = ("least", "usual", "greatest")


class EngineBuildError(EngineError):
    """TensorRT refused a graph.

    Attributes:
        part, op, node: where; ``op`` and ``node`` are empty when TensorRT names none.
        desc: what it said.
        log: its last warnings and errors.
    """

    def __init__(
        self, part: str, desc: str, *, op: str = "", node: str = "", log: tuple[str, ...] = ()
    ) -> None:
        where = f"part {part!r}" + (f", {op} node {node!r}" if op or node else "")
        super().__init__(where, desc, "change the export, or exclude the node from quantisation")
        self.part, self.op, self.node, self.desc, self.log = part, op, node, desc, log


@dataclass(frozen=True)
class Built:
    """A plan, the timing cache that makes the next build of it quick, and what was logged.

    ``layers`` counts the network's layers by the type that they make, such as ``{"HALF": 40}``:
    what was asked of the builder. Which kernels it chose, only an inspector on the GPU can say.
    """

    plan: bytes
    timing_cache: bytes
    log: tuple[str, ...]
    layers: Mapping[str, int] = field(default_factory=dict)


def build(
    trt: TensorRT,
    part: BundlePart,
    *,
    sm: int | None = None,
    workspace_mb: int = WORKSPACE_MB,
    timing_cache: bytes | None = None,
) -> Built:
    """Build one part.

    Args:
        trt: see the module.
        part: the graph; its spec's ``profile`` must size every named dim of the inputs.
        sm: GPU generation to build for, e.g. 86; None is the GPU of this machine.
        workspace_mb: MiB of scratch memory a kernel may use.
        timing_cache: that of an earlier build on the same machine, ``b""`` to begin one, None to
            keep none (``tensorrt_rtx`` has none).

    Raises:
        EngineBuildError: a size is missing, or TensorRT refuses the graph.
    """
    with no_collection():
        return _build(trt, part, sm, workspace_mb, timing_cache)


def _build(
    trt: TensorRT, part: BundlePart, sm: int | None, workspace_mb: int, timing_cache: bytes | None
) -> Built:
    logger = collecting_logger(trt)
    builder = _builder(trt, logger, part.name)
    network = _parse(trt, builder, logger, part)
    layers = _layers(network)
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace_mb << 20)
    # So that the inspector can say which kernels were chosen.
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if sm is not None:
        _aim(trt, config, sm, part.name)
    _add_profile(builder, config, part.spec)
    if timing_cache is not None:
        cache = config.create_timing_cache(timing_cache)
        config.set_timing_cache(cache, ignore_mismatch=False)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise _refused(part.name, logger)
    learned = b"" if timing_cache is None else bytes(config.get_timing_cache().serialize())
    return Built(bytes(plan), learned, tuple(logger.lines), layers)


def _builder(trt: TensorRT, logger: Any, part: str) -> Any:
    try:
        return trt.Builder(logger)
    except (TypeError, RuntimeError) as error:  # what pybind11 makes of a null builder
        raise EngineBuildError(
            part, f"TensorRT cannot start: {error}", log=tuple(logger.lines)
        ) from error


def _parse(trt: TensorRT, builder: Any, logger: Any, part: BundlePart) -> Any:
    # Strong typing keeps the graph's own types. It is always on in 11, where the flag may be gone.
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if flag is None else 1 << int(flag))
    parser = trt.OnnxParser(network, logger)
    if parser.parse_from_file(str(part.path)):  # by path: weights beside the file are found
        return network
    if not parser.num_errors:
        raise _refused(part.name, logger)
    error = parser.get_error(0)
    raise EngineBuildError(
        part.name,
        one_line(error.desc()),
        op=_text(error, "node_operator"),
        node=_text(error, "node_name"),
        log=tuple(logger.lines),
    )


def _layers(network: Any) -> dict[str, int]:
    found = (network.get_layer(index) for index in range(network.num_layers))
    made = (layer.get_output(0) for layer in found if layer.num_outputs)
    return dict(Counter(str(tensor.dtype).split(".")[-1] for tensor in made if tensor is not None))


def _text(error: Any, name: str) -> str:
    reader = getattr(error, name, None)  # 10.0 and later
    return str(reader()) if reader else ""


def _aim(trt: TensorRT, config: Any, sm: int, part: str) -> None:
    kinds = getattr(trt, "ComputeCapability", None)
    wanted = getattr(kinds, f"SM{sm}", None)
    if wanted is None:
        raise EngineBuildError(
            part, f"{trt.__name__} {trt.__version__} cannot build for SM{sm} on another machine"
        )
    config.num_compute_capabilities = 1
    config.set_compute_capability(wanted, 0)


def _add_profile(builder: Any, config: Any, spec: EngineSpec) -> None:
    open_inputs = [
        item for item in spec.graph_inputs if any(isinstance(dim, str) for dim in item.dims)
    ]
    if not open_inputs:
        return
    profile = builder.create_optimization_profile()
    sizes: list[Mapping[str, int]] = [
        {name: three[index] for name, three in spec.profile.items()} for index in range(len(_SIZES))
    ]
    for tensor in open_inputs:
        profile.set_shape(tensor.name, *_shapes(spec.part, tensor, sizes))
    if config.add_optimization_profile(profile) < 0:
        raise EngineBuildError(spec.part, f"TensorRT refuses the profile {spec.profile}")


def _shapes(part: str, tensor: TensorSpec, sizes: list[Mapping[str, int]]) -> list[tuple[int, ...]]:
    try:
        return [tensor.shape(named) for named in sizes]
    except BadFeed as error:
        raise EngineBuildError(part, f"the profile lacks a size: {error.problem}") from error


def _refused(part: str, logger: Any) -> EngineBuildError:
    desc = first_error(logger, "TensorRT failed and said nothing")
    blamed = _LAYER.search(desc)
    op, node = blamed.groups() if blamed else ("", "")
    return EngineBuildError(part, desc, op=op, node=node, log=tuple(logger.lines))
