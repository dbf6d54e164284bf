"""A torch module's step as an ONNX file that both ONNX Runtime and TensorRT take.

Opset 18 through the dynamo exporter: the form with the fewest nodes and no shape arithmetic.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.export import Dim

from model_export.onnx_graph import strip_traces

OPSET = 18
OpenDims = Mapping[str, Mapping[int, str]]
TRANSPOSED = ".T"
"""Ends the name of a weight [K, N] that the module holds as [N, K]."""


@dataclass(frozen=True)
class Feed:
    """One input: its name, an example, and which of its axes are open under which name."""

    name: str
    example: Tensor
    open: dict[int, str]


def export_step(
    step: nn.Module,
    feeds: Sequence[Feed],
    outputs: Sequence[str],
    path: Path,
    open_outputs: OpenDims | None = None,
) -> None:
    """Write ``step(*feeds) -> outputs`` as ONNX.

    ``open_outputs`` names open axes of outputs that are no axis of an input, such as "C".

    Raises:
        RuntimeError: the exporter returned nothing.
    """
    proto = finished(_traced(step, feeds, outputs), _open(feeds), open_outputs)
    onnx.checker.check_model(proto)
    onnx.save(proto, str(path))


def skeleton(step: nn.Module, feeds: Sequence[Feed], outputs: Sequence[str]) -> onnx.ModelProto:
    """The graph of a step that was made, with its feeds, under ``FakeTensorMode``.

    Its weights have shapes and no values, so a model of any size can be traced. They come back as
    inputs of the graph, after the feeds, named as in the module.
    """
    program = _traced(step, feeds, outputs)
    graph = program.model.graph
    for name, value in list(graph.initializers.items()):
        if isinstance(getattr(value.const_value, "raw", None), FakeTensor):
            del graph.initializers[name]
            value.const_value = None  # or the optimiser would want to fold what is not there
            graph.inputs.append(value)
    return finished(program, _open(feeds))


def finished(
    program: torch.onnx.ONNXProgram,
    open_inputs: OpenDims | None = None,
    open_outputs: OpenDims | None = None,
) -> onnx.ModelProto:
    """The optimised graph, its transposed weights and open dims under names that mean something."""
    for node in program.model.graph:
        weight = node.inputs[0] if node.op_type == "Transpose" else None
        if weight is None or weight.name not in program.model.graph.initializers:
            continue
        if list(node.attributes["perm"].value) == [1, 0]:
            # Folding keeps this name and drops the weight's own.
            node.outputs[0].name = f"{weight.name}{TRANSPOSED}"
    program.optimize()
    proto = program.model_proto
    for value in program.model.graph.initializers.values():
        value.const_value = None  # the optimiser's rules remember the last graph that they saw
    _name_open_dims(proto.graph.input, open_inputs or {})
    _name_open_dims(proto.graph.output, open_outputs or {})
    strip_traces(proto)
    return proto


def _open(feeds: Sequence[Feed]) -> OpenDims:
    return {feed.name: feed.open for feed in feeds}


def _traced(
    step: nn.Module, feeds: Sequence[Feed], outputs: Sequence[str]
) -> torch.onnx.ONNXProgram:
    dims = [dict.fromkeys(feed.open, Dim.AUTO) for feed in feeds]
    arguments: tuple[Any, ...] = tuple(feed.example for feed in feeds)
    # It warns of packages that we do not use.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        traced = torch.export.export(step.eval(), arguments, dynamic_shapes=(tuple(dims),))
        program = torch.onnx.export(
            traced, input_names=[feed.name for feed in feeds], output_names=list(outputs),
            opset_version=OPSET, dynamo=True, optimize=False, external_data=False, verbose=False,
        )  # fmt: skip
    if program is None:
        raise RuntimeError(f"{type(step).__name__}: the exporter returned no program")
    return program


def _name_open_dims(
    values: Iterable[onnx.ValueInfoProto], names: Mapping[str, Mapping[int, str]]
) -> None:
    """Give open axes the names of the engine contract instead of the exporter's."""
    for value in values:
        for axis, name in names.get(value.name, {}).items():
            value.type.tensor_type.shape.dim[axis].dim_param = name
