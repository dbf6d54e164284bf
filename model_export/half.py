"""A float32 graph computed in mixed precision: products in fp16, everything else in fp32.

MatMul, Gemm, Conv and ConvTranspose with their weights, the caches and the tails become fp16.
Sums, norms, softmax, exponentials and angles stay fp32: that is where half floats overflow (an
RMSNorm squares its input) or lose a phase. Operators that only move values keep the type of what
they move. Inputs and outputs that are no state stay fp32, so the host feeds both graphs alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from model_export.onnx_graph import (
    Constants,
    ExportError,
    at_opset,
    check_patterns,
    matches,
    node_label,
    readers,
    remove_unused,
    tensor_specs,
)
from model_export.placeholders import derived, is_placeholder

F32, F16 = TensorProto.FLOAT, TensorProto.FLOAT16
PRODUCTS = ("MatMul", "Gemm", "Conv", "ConvTranspose")
_QUANTISERS = ("QuantizeLinear", "DequantizeLinear")
_MOVERS = frozenset(
    [
        "Identity",
        "Transpose",
        "Reshape",
        "Squeeze",
        "Unsqueeze",
        "Slice",
        "Split",
        "Gather",
        "GatherND",
        "Expand",
        "Concat",
    ]
)
OPSET_HALF_SCALES = 19  # the first whose QuantizeLinear takes fp16


def to_half(
    model: onnx.ModelProto,
    *,
    keep: Sequence[str] = (),
    tables: Sequence[str] = (),
    constant_only: bool = False,
) -> onnx.ModelProto:
    """A mixed-precision copy of ``model``.

    Args:
        model: fp32, quantised or not; weights in the file.
        keep: patterns of node names whose products stay fp32.
        tables: patterns of constants that Gather reads and that may be stored as fp16.
        constant_only: leave products of two computed tensors in fp32, and state with them: for a
            graph that computes phases by MatMul.

    Raises:
        ExportError: a pattern that fits nothing, or a weight beyond fp16.
    """
    labels = [node_label(node) for node in model.graph.node if node.op_type in PRODUCTS]
    check_patterns("keep", keep, labels)
    quantised = any(node.op_type in _QUANTISERS for node in model.graph.node)
    work = at_opset(model, OPSET_HALF_SCALES if quantised else 13)
    _Job(work, keep, tables, constant_only).run()
    remove_unused(work.graph)
    return work


class _Job:
    """One graph being rewritten. ``types`` has the float type of every tensor met so far."""

    def __init__(
        self,
        model: onnx.ModelProto,
        keep: Sequence[str],
        tables: Sequence[str],
        constant_only: bool,
    ) -> None:
        self.model, self.graph, self.keep, self.tables = model, model.graph, keep, tables
        self.constant_only = constant_only
        self.constants = Constants(self.graph)
        self.readers = readers(self.graph)
        self.weights = set(self.constants.tensors) | {
            node.output[0]
            for node in self.graph.node
            if node.op_type == "DequantizeLinear" and node.input[0] in self.constants
        }
        self.types: dict[str, int] = {}
        self.now: dict[str, str] = {}  # outputs of the graph that a Cast now makes
        self.cast: dict[tuple[str, int], str] = {}
        self.nodes: list[NodeProto] = []
        self.producers: dict[str, NodeProto] = {}
        self.floats = _float_tensors(model)

    def run(self) -> None:
        _, _, state = tensor_specs(self.model)
        moved = [spec for spec in state if spec.dtype == "f32" and not self.constant_only]
        names = {spec.name for spec in moved}
        half_outputs = {spec.next_name for spec in moved}
        for item in self.graph.input:
            if item.type.tensor_type.elem_type == F32:
                self.types[item.name] = F16 if item.name in names else F32
                item.type.tensor_type.elem_type = self.types[item.name]
        for name, tensor in self.constants.tensors.items():
            if tensor.data_type == F32:
                self.types[name] = F32
        wanted: dict[str, int] = {
            item.name: F16 if item.name in half_outputs else F32
            for item in self.graph.output
            if item.type.tensor_type.elem_type == F32
        }
        for item in self.graph.output:
            if item.name in wanted:
                item.type.tensor_type.elem_type = wanted[item.name]
        for node in list(self.graph.node):
            self._node(node, wanted)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        del self.graph.value_info[:]  # its types are no longer true

    def _node(self, node: NodeProto, wanted: dict[str, int]) -> None:
        kind = self._kind(node)
        for place, name in enumerate(node.input):
            name = self.now.get(name, name)
            node.input[place] = self._as(name, kind) if name in self.types else name
        made = self._made(node, kind)
        after = []
        for place, name in enumerate(node.output):
            if name not in self.floats:
                continue
            self.types[name] = made
            if wanted.get(name, made) != made:
                raw = name + "__" + ("f16" if made == F16 else "f32")
                node.output[place], self.now[name], self.types[raw] = raw, raw, made
                after.append(_cast(raw, name, wanted[name]))
        self.nodes += [node, *after]

    def _made(self, node: NodeProto, kind: int) -> int:
        if node.op_type == "Cast":
            return next(int(item.i) for item in node.attribute if item.name == "to")
        return kind

    def _kind(self, node: NodeProto) -> int:
        """The float type in which a node computes."""
        if node.op_type in PRODUCTS:
            return F32 if self._stays(node) else F16
        if node.op_type in _QUANTISERS:
            users = self.readers.get(node.output[0], [])
            return F16 if users and all(self._kind(user) == F16 for user in users) else F32
        if node.op_type == "Cast":
            return self.types.get(self.now.get(node.input[0], node.input[0]), F32)
        if node.op_type in _MOVERS:
            return self._moved(node)
        return F32

    def _stays(self, node: NodeProto) -> bool:
        computed = self.constant_only and node.input[1] not in self.weights
        return computed or matches(node_label(node), self.keep)

    def _moved(self, node: NodeProto) -> int:
        if node.op_type in ("Gather", "GatherND") and node.input[0] in self.constants:
            return F16 if matches(node.input[0], self.tables) else F32
        moved = node.input if node.op_type == "Concat" else node.input[:1]
        kinds = [self.types.get(self.now.get(name, name), F32) for name in moved]
        return F16 if F16 in kinds else F32

    def _as(self, name: str, kind: int) -> str:
        """The name under which ``name`` has type ``kind``, converting it once."""
        if self.types[name] == kind:
            return name
        if (name, kind) not in self.cast:
            suffix = "__f16" if kind == F16 else "__f32"
            self.cast[name, kind] = name + suffix
            if name in self.constants and kind == F16:
                self.graph.initializer.append(self._half_constant(name, name + suffix))
            else:
                self.nodes.append(_cast(name, name + suffix, kind))
        return self.cast[name, kind]

    def _half_constant(self, name: str, renamed: str) -> TensorProto:
        if is_placeholder(self.constants.tensors[name]):
            return derived(self.constants.tensors[name], renamed, dtype=F16)
        values = np.asarray(self.constants.array(name), np.float32)
        if values.size and np.abs(values).max() > np.finfo(np.float16).max:
            raise ExportError(f"{name}: has values beyond fp16; keep the node that reads it")
        half = values.astype(np.float16)
        if any(user.op_type in _QUANTISERS for user in self.readers.get(name, [])):
            half = np.maximum(half, np.finfo(np.float16).smallest_subnormal)  # a scale of 0 is none
        return numpy_helper.from_array(half, renamed)


def _float_tensors(model: onnx.ModelProto) -> set[str]:
    """Names of all float32 tensors that nodes make."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    known = (*inferred.value_info, *inferred.output)
    return {item.name for item in known if item.type.tensor_type.elem_type == F32}


def _cast(name: str, result: str, kind: int) -> NodeProto:
    return helper.make_node("Cast", [name], [result], result + "_cast", to=kind)
