"""A torch module's step as an ONNX file that both ONNX Runtime and TensorRT take.

Opset 18 through the dynamo exporter: the form with the fewest nodes and no shape arithmetic.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim

from model_export.onnx_graph import strip_traces

OPSET = 18


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
    open_outputs: Mapping[str, Mapping[int, str]] | None = None,
) -> None:
    """Write ``step(*feeds) -> outputs`` as ONNX.

    ``open_outputs`` names open axes of outputs that are no axis of an input, such as "C".

    Raises:
        RuntimeError: the exporter returned nothing.
    """
    dims = [dict.fromkeys(feed.open, Dim.AUTO) for feed in feeds]
    arguments: tuple[Any, ...] = tuple(feed.example for feed in feeds)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            step.eval(), arguments,
            input_names=[feed.name for feed in feeds], output_names=list(outputs),
            dynamic_shapes=(tuple(dims),), opset_version=OPSET, dynamo=True,
            external_data=False, verbose=False,
        )  # fmt: skip
    if program is None:
        raise RuntimeError(f"{path.name}: the exporter returned no program")
    proto = program.model_proto
    _name_open_dims(proto.graph.input, {feed.name: feed.open for feed in feeds})
    _name_open_dims(proto.graph.output, open_outputs or {})
    strip_traces(proto)
    onnx.checker.check_model(proto)
    onnx.save(proto, str(path))


def _name_open_dims(
    values: Iterable[onnx.ValueInfoProto], names: Mapping[str, Mapping[int, str]]
) -> None:
    """Give open axes the names of the engine contract instead of the exporter's."""
    for value in values:
        for axis, name in names.get(value.name, {}).items():
            value.type.tensor_type.shape.dim[axis].dim_param = name
