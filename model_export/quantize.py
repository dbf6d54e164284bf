"""INT8 graphs that TensorRT and ONNX Runtime read alike.

Two modes, both with symmetric int8 weights, one scale for each output channel:

* ``w8a8``: the activation passes QuantizeLinear -> DequantizeLinear (one calibrated scale), the
  weight is stored as int8 behind a DequantizeLinear. TensorRT runs int8 tensor cores on it.
* ``w8``: only the weight. Saves memory; ONNX Runtime fuses it to one kernel.

Zero-points are always written out: left out, ONNX reads uint8 and TensorRT int8. A Gemm becomes
MatMul (+ Add), so that one pattern covers every linear layer. Attention products, having no
constant side, stay in float.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper, version_converter

from model_export.calibrate import Feeds, calibrate
from model_export.graph import (
    Constants,
    ExportError,
    attribute,
    node_label,
    opset_of,
    remove_unused,
)

Floats = npt.NDArray[np.floating]
Mode = Literal["w8a8", "w8"]
FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
WEIGHT_AXIS = {"MatMul": 1, "Conv": 0, "ConvTranspose": 1}
DEFAULT_OPS = ("MatMul", "Gemm")


@dataclass(frozen=True)
class Quantized:
    """The new model, the nodes that were quantised, and why the others were not."""

    model: onnx.ModelProto
    nodes: tuple[str, ...]
    skipped: Mapping[str, str]


def quantize(
    model: onnx.ModelProto,
    mode: Mode,
    *,
    feeds: Feeds = (),
    percent: float = 100.0,
    exclude: Sequence[str] = (),
    op_types: Sequence[str] = DEFAULT_OPS,
    embeddings: bool = False,
) -> Quantized:
    """Quantise a float graph; the given model is left as it is.

    Args:
        model: fp32 or fp16, no external data left on disk.
        mode: see the module.
        feeds: sample inputs to calibrate on (``w8a8`` alone).
        percent: share of activation magnitudes to keep in range; 100 keeps all.
        exclude: patterns (``*``, ``?``) of node names to leave in float.
        op_types: of MatMul, Gemm, Conv and ConvTranspose, those to quantise.
        embeddings: also store Gather tables as int8 with one scale for each table.

    Raises:
        ExportError: nothing to quantise, no feeds, or an activation that is always zero.
    """
    work = onnx.ModelProto()
    work.CopyFrom(model)
    split_gemms(work.graph, exclude, op_types)
    wanted = {"MatMul" if op == "Gemm" else op for op in op_types}
    job = _Job(work.graph, mode)
    targets, skipped = job.targets(wanted, exclude)
    if mode == "w8a8":
        names = list(dict.fromkeys(node.input[0] for node in targets))
        job.ranges = calibrate(work, feeds, names, percent)
    job.rewrite(targets, _tables(work.graph, job.constants, exclude) if embeddings else [])
    if not job.done:
        raise ExportError("quantisation: found nothing to quantise; check op types and exclusions")
    remove_unused(work.graph)
    half = any(item.data_type == TensorProto.FLOAT16 for item in job.scales)
    work = _at_opset(work, 19 if half else 13)
    helper.set_model_props(work, {**{p.key: p.value for p in model.metadata_props}, "quant": mode})
    return Quantized(work, tuple(job.done), skipped)


def split_gemms(graph: onnx.GraphProto, exclude: Sequence[str], op_types: Sequence[str]) -> None:
    """Turn plain Gemms with a constant weight into MatMul (+ Add), in place; same values."""
    constants = Constants(graph)
    nodes: list[NodeProto] = []
    for node in graph.node:
        if node.op_type == "Gemm" and "Gemm" in op_types and not _excluded(node, exclude):
            nodes += _split_gemm(graph, constants, node)
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _split_gemm(
    graph: onnx.GraphProto, constants: Constants, node: NodeProto
) -> list[NodeProto]:
    plain = all(attribute(node, name, 1.0) == 1.0 for name in ("alpha", "beta"))
    if not plain or attribute(node, "transA", 0) or node.input[1] not in constants:
        return [node]
    weight = node.input[1]
    if attribute(node, "transB", 0):
        weight += "__transposed"
        if weight not in constants:
            turned = np.ascontiguousarray(constants.array(node.input[1]).T)
            graph.initializer.append(numpy_helper.from_array(turned, weight))
            constants.tensors[weight] = graph.initializer[-1]
    has_bias = len(node.input) > 2 and bool(node.input[2])
    product = node.output[0] + "__product" if has_bias else node.output[0]
    name = node_label(node)
    made = [helper.make_node("MatMul", [node.input[0], weight], [product], name)]
    if has_bias:
        made.append(helper.make_node("Add", [product, node.input[2]], [node.output[0]], name + "_bias"))
    return made


@dataclass
class _Job:
    """One graph being rewritten: what was made so far."""

    graph: onnx.GraphProto
    mode: Mode
    ranges: Mapping[str, float] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    scales: list[TensorProto] = field(default_factory=list)
    _made: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.constants = Constants(self.graph)

    def targets(
        self, op_types: set[str], exclude: Sequence[str]
    ) -> tuple[list[NodeProto], dict[str, str]]:
        """Nodes to quantise, and for the others of these types the reason why not."""
        chosen, skipped = [], {}
        for node in self.graph.node:
            if node.op_type not in op_types:
                continue
            reason = self._why_not(node, exclude)
            if reason:
                skipped[node_label(node)] = reason
            else:
                chosen.append(node)
        return chosen, skipped

    def _why_not(self, node: NodeProto, exclude: Sequence[str]) -> str:
        if _excluded(node, exclude):
            return "excluded"
        weight = self.constants.tensors.get(node.input[1])
        if weight is None:
            return "its second input is not constant"
        if weight.data_type not in FLOATS:
            return "its weight is not a float tensor"
        if node.op_type == "MatMul" and len(weight.dims) != 2:
            return f"its weight has rank {len(weight.dims)}, not 2"
        if node.op_type == "ConvTranspose" and attribute(node, "group", 1) != 1:
            return "a grouped ConvTranspose has no plain output-channel axis"
        return ""

    def rewrite(self, targets: list[NodeProto], tables: list[NodeProto]) -> None:
        """Replace the nodes of the graph, keeping their order."""
        chosen, gathers = {id(node) for node in targets}, {id(node) for node in tables}
        nodes: list[NodeProto] = []
        for node in self.graph.node:
            if id(node) in chosen:
                nodes += self._linear(node)
            elif id(node) in gathers:
                nodes += self._gather(node)
            else:
                nodes.append(node)
        del self.graph.node[:]
        self.graph.node.extend(nodes)

    def _linear(self, node: NodeProto) -> list[NodeProto]:
        made: list[NodeProto] = []
        if self.mode == "w8a8":
            dtype = self.constants.tensors[node.input[1]].data_type
            node.input[0] = self._activation(node.input[0], dtype, made)
        node.input[1] = self._weight(node.input[1], WEIGHT_AXIS[node.op_type], made)
        self.done.append(node_label(node))
        return [*made, node]

    def _activation(self, name: str, dtype: int, made: list[NodeProto]) -> str:
        """Add one Q/DQ pair for tensor ``name``, shared by all its readers."""
        result = name + "__dq"
        if result in self._made:
            return result
        greatest = self.ranges[name]
        if greatest <= 0.0:
            raise ExportError(f"{name}: was zero on every feed; give other feeds or exclude its nodes")
        scale = self._store(name + "__scale", _scale(np.float64(greatest), dtype))
        zero = self._store(name + "__zero", np.zeros((), np.int8))
        made.append(helper.make_node("QuantizeLinear", [name, scale, zero], [name + "__q"], name + "__Q"))
        made.append(
            helper.make_node("DequantizeLinear", [name + "__q", scale, zero], [result], name + "__DQ")
        )
        self._made[result] = name
        return result

    def _weight(self, name: str, axis: int, made: list[NodeProto]) -> str:
        """Store weight ``name`` as int8 with one scale for each channel of ``axis``."""
        result = f"{name}__dq{axis}"
        if result in self._made:
            return result
        values = np.asarray(self.constants.array(name), np.float64)
        others = tuple(index for index in range(values.ndim) if index != axis)
        scale = _scale(np.abs(values).max(axis=others), self.constants.tensors[name].data_type)
        shape = [-1 if index == axis else 1 for index in range(values.ndim)]
        inputs = [
            self._store(f"{name}__int8_{axis}", _int8(values, scale.reshape(shape), 127)),
            self._store(f"{name}__scale_{axis}", scale),
            self._store(f"{name}__zero_{axis}", np.zeros(scale.shape, np.int8)),
        ]
        made.append(
            helper.make_node("DequantizeLinear", inputs, [result], f"{name}__DQ{axis}", axis=axis)
        )
        self._made[result] = name
        return result

    def _gather(self, node: NodeProto) -> list[NodeProto]:
        """Gather int8 rows, then dequantise only what was gathered."""
        name, output = node.input[0], node.output[0]
        values = np.asarray(self.constants.array(name), np.float64)
        scale = _scale(np.abs(values).max(), self.constants.tensors[name].data_type)
        node.input[0] = self._store(name + "__rows", _int8(values, scale)),
        node.output[0] = output + "__rows"
        inputs = [
            node.output[0],
            self._store(name + "__rows_scale", scale),
            self._store(name + "__rows_zero", np.zeros((), np.int8)),
        ]
        self.done.append(node_label(node))
        return [node, helper.make_node("DequantizeLinear", inputs, [output], name + "__rows_DQ")]

    def _store(self, name: str, values: npt.NDArray[np.generic]) -> str:
        if name not in self.constants:
            tensor = numpy_helper.from_array(np.asarray(values), name)
            self.graph.initializer.append(tensor)
            self.constants.tensors[name] = tensor
            if tensor.data_type in FLOATS:
                self.scales.append(tensor)
        return name


def _tables(
    graph: onnx.GraphProto, constants: Constants, exclude: Sequence[str]
) -> list[NodeProto]:
    """Gathers of rows from constant float matrices."""
    return [
        node
        for node in graph.node
        if node.op_type == "Gather"
        and not _excluded(node, exclude)
        and attribute(node, "axis", 0) == 0
        and node.input[0] in constants
        and constants.tensors[node.input[0]].data_type in FLOATS
        and len(constants.tensors[node.input[0]].dims) == 2
    ]


def _excluded(node: NodeProto, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(node_label(node), pattern) for pattern in patterns)


def _scale(greatest: npt.NDArray[np.float64] | np.float64, dtype: int) -> Floats:
    """Scales so that ``greatest`` becomes 127, in the graph's own float type and never 0."""
    kind = np.float16 if dtype == TensorProto.FLOAT16 else np.float32
    # A channel of zeros has no magnitude; any scale above 0 serves it.
    return np.maximum(np.asarray(greatest) / 127.0, np.finfo(kind).tiny).astype(kind)


def _int8(values: npt.NDArray[np.float64], scale: Floats) -> npt.NDArray[np.int8]:
    # By the scale as stored, not as computed: fp16 rounds it. -128 stays unused: symmetric.
    return np.clip(np.rint(values / scale.astype(np.float64)), -127, 127).astype(np.int8)


def _at_opset(model: onnx.ModelProto, least: int) -> onnx.ModelProto:
    if opset_of(model) >= least:
        return model
    try:
        return version_converter.convert_version(model, least)
    except RuntimeError as error:
        raise ExportError(f"model: cannot be moved to opset {least} ({error}); export it so") from error
