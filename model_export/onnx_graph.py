"""Small questions about an ONNX graph that lint, quantiser and packer all ask."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper, version_converter

from device.engine.contract import CACHE_PREFIX, NEW_PREFIX, TAIL_SUFFIX, DType, TensorSpec

ONNX_DTYPES: dict[int, DType] = {
    onnx.TensorProto.FLOAT: "f32",
    onnx.TensorProto.FLOAT16: "f16",
    onnx.TensorProto.INT64: "i64",
    onnx.TensorProto.INT32: "i32",
}


class ExportError(Exception):
    """The workshop cannot do what it was asked; the message says where and what to do."""


class Constants:
    """Constant tensors by name: initializers and ``Constant`` nodes, decoded on demand.

    ``folder`` is where external data lies, for a model that was loaded without.
    """

    def __init__(self, graph: onnx.GraphProto, folder: Path | None = None) -> None:
        self.folder = "" if folder is None else str(folder)
        self.tensors: dict[str, onnx.TensorProto] = {item.name: item for item in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
                self.tensors[node.output[0]] = node.attribute[0].t

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def array(self, name: str) -> npt.NDArray[np.generic]:
        """The value of a constant."""
        return np.asarray(numpy_helper.to_array(self.tensors[name], self.folder))


def opset_of(model: onnx.ModelProto) -> int:
    """Version of the default operator set, 0 when the model states none."""
    return max(
        (item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), default=0
    )


def at_opset(model: onnx.ModelProto, least: int) -> onnx.ModelProto:
    """A copy of ``model`` at opset ``least`` or, when it is newer already, at its own.

    Raises:
        ExportError: an operator cannot be moved there.
    """
    if opset_of(model) >= least:
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        return copy
    try:
        return version_converter.convert_version(model, least)
    except version_converter.ConvertError as error:
        raise ExportError(
            f"model: cannot be moved to opset {least} ({error}); export it so"
        ) from error


def readers(graph: onnx.GraphProto) -> dict[str, list[onnx.NodeProto]]:
    """Nodes that read each tensor."""
    found: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            found.setdefault(name, []).append(node)
    return found


def attribute(node: onnx.NodeProto, name: str, default: int | float) -> int | float:
    """A number attribute of a node."""
    for item in node.attribute:
        if item.name == name:
            return float(item.f) if item.type == onnx.AttributeProto.FLOAT else int(item.i)
    return default


def tensor_specs(
    model: onnx.ModelProto,
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs, outputs and state of a graph, told apart by the naming rule of the engine contract.

    Raises:
        ExportError: an input or output has no rank, a dim without a name, or a type engines lack.
    """
    graph = model.graph
    constants = {item.name for item in graph.initializer}
    ins = [_tensor_spec(item) for item in graph.input if item.name not in constants]
    outs = [_tensor_spec(item) for item in graph.output]
    names_in = {spec.name for spec in ins}
    carried = {spec.name for spec in outs if _state_of(spec.name) in names_in}
    state = tuple(spec for spec in ins if spec.next_name in carried)
    inputs = tuple(spec for spec in ins if spec not in state)
    return inputs, tuple(spec for spec in outs if spec.name not in carried), state


def _state_of(output: str) -> str:
    if output.startswith(NEW_PREFIX):
        return CACHE_PREFIX + output.removeprefix(NEW_PREFIX)
    return output.removesuffix(TAIL_SUFFIX) if output.endswith(TAIL_SUFFIX) else ""


def _tensor_spec(item: onnx.ValueInfoProto) -> TensorSpec:
    tensor = item.type.tensor_type
    dtype = ONNX_DTYPES.get(tensor.elem_type)
    if dtype is None or not tensor.HasField("shape"):
        raise ExportError(
            f"{item.name}: has a type or rank that engines lack; export it as a plain tensor"
        )
    dims = [
        dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in tensor.shape.dim
    ]
    if not all(dims):
        raise ExportError(
            f"{item.name}: has an empty or nameless dim in {dims}; name it in the export"
        )
    try:
        return TensorSpec(name=item.name, dtype=dtype, dims=tuple(dims))
    except ValueError as error:
        raise ExportError(f"{item.name}: {' '.join(str(error).split())}; rename it") from error


def load(path: Path, *, weights: bool = True) -> onnx.ModelProto:
    """Read a model, with its external data or with ``weights=False`` without.

    Raises:
        ExportError: it cannot be read.
    """
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        return onnx.load(path, load_external_data=weights)
    except (OSError, DecodeError, onnx.checker.ValidationError) as error:
        raise ExportError(f"{path}: cannot be read ({error}); export it again") from error


def node_label(node: onnx.NodeProto) -> str:
    """How messages call a node: its name, or its first output."""
    return node.name or (node.output[0] if node.output else "nameless")


def remove_unused(graph: onnx.GraphProto) -> None:
    """Drop initializers that nothing reads any more, in place."""
    used = {name for node in graph.node for name in node.input}
    used |= {item.name for item in graph.output}
    kept = [item for item in graph.initializer if item.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def check_patterns(what: str, patterns: Sequence[str], names: Sequence[str]) -> None:
    """A pattern that fits nothing is a slip of the pen, and would go unseen."""
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ExportError(f"{what}: {pattern!r} fits nothing in the graph; check the names")


def matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def strip_traces(model: onnx.ModelProto) -> None:
    """Drop what an exporter notes for its own debugging, such as paths of source files; in place.

    Names, shapes and weights stay; the model's own ``metadata_props`` stay too.
    """
    graph = model.graph
    for item in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ""
    del graph.metadata_props[:]
    graph.doc_string = model.doc_string = ""
