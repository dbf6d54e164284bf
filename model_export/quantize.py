"""INT8 and INT4 graphs that TensorRT and ONNX Runtime read alike.

Three modes, all symmetric; int8 weights have one scale for each output channel:

* ``w8a8``: the activation passes QuantizeLinear -> DequantizeLinear (one calibrated scale), the
  weight is stored as int8 behind a DequantizeLinear. TensorRT runs int8 tensor cores on it.
* ``w8``: only the weight. Saves memory; ONNX Runtime fuses it to one kernel. TensorRT 10.3 does not
  document it and may fold the weight to float (see ``lint.warnings``).
* ``w4``: only the weight of MatMuls, in int4 with one scale for each 128 values of a channel. The
  one form of weight-only that TensorRT 10.3 documents. Layers whose depth is no multiple of 128
  stay in float.

Zero-points are always written out: left out, ONNX reads uint8 and TensorRT int8. A Gemm becomes
MatMul (+ Add), so that one pattern covers every linear layer. Attention products, having no
constant side, stay in float.

Embedding tables are stored as fp16 and what is gathered is cast back. Int8 tables serve neither
side: TensorRT allows an int8 constant before DequantizeLinear alone, and then ONNX Runtime
dequantises the whole table on every run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from model_export.calibrate import Feeds, calibrate
from model_export.linear import split_gemms
from model_export.onnx_graph import (
    Constants,
    ExportError,
    at_opset,
    attribute,
    check_patterns,
    matches,
    node_label,
    remove_unused,
)
from model_export.placeholders import derived, is_placeholder
from model_export.rounding import (
    BLOCK,
    INT8,
    Floats,
    Int8s,
    int4_blocks,
    kept_scales,
    pack_int4,
    scale_of,
    to_codes,
)
from model_export.smooth import smooth as smoothed

Mode = Literal["w8a8", "w8", "w4"]
FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
WEIGHT_AXIS = {"MatMul": 1, "Conv": 0, "ConvTranspose": 1}
DEFAULT_OPS = ("MatMul", "Gemm")


@dataclass(frozen=True)
class Quantized:
    """The new model, the nodes that were quantised, and why the others were not.

    Attributes:
        kept: by weight, how many of its scales are those of the earlier graph, and of how many.
    """

    model: onnx.ModelProto
    nodes: tuple[str, ...]
    skipped: Mapping[str, str]
    kept: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def quantize(
    model: onnx.ModelProto,
    mode: Mode,
    *,
    feeds: Feeds = (),
    percent: float = 100.0,
    ranges: Mapping[str, float] | None = None,
    smooth: float | None = None,
    exclude: Sequence[str] = (),
    op_types: Sequence[str] = DEFAULT_OPS,
    embeddings: Sequence[str] = (),
    earlier: onnx.ModelProto | None = None,
) -> Quantized:
    """Quantise a float graph; the given model is left as it is.

    Args:
        model: fp32 or fp16, no external data left on disk.
        mode: see the module.
        feeds: sample inputs to calibrate on (``w8a8`` alone).
        percent: share of activation magnitudes to keep in range; 100 keeps all.
        ranges: magnitudes that are known already, by tensor; then no feeds are needed.
        smooth: SmoothQuant's alpha (``w8a8`` alone, wants feeds); None leaves weights as they are.
        exclude: patterns (``*``, ``?``) of nodes to leave in float, by name or by their weight's.
        op_types: of MatMul, Gemm, Conv and ConvTranspose, those to quantise.
        embeddings: patterns of constant names; fp32 Gather tables to store as fp16. By name,
            because tables of sines and cosines are gathered too and must stay exact.
        earlier: the same part of an earlier release, quantised. Int8 weights of the same name and
            shape take its scales, channel by channel, where these serve them, so that a weight
            that did not move keeps its code and a delta is small.

    Raises:
        ExportError: nothing to quantise, a pattern that fits nothing, no feeds, or an activation
            that is always zero.
    """
    work = onnx.ModelProto()
    work.CopyFrom(model)
    check_patterns("exclude", exclude, [name for node in work.graph.node for name in _names(node)])
    # First, because the converter writes down the types that it infers from what is there.
    work = at_opset(work, _opset(work, mode))
    split_gemms(work.graph, exclude, op_types)
    if mode == "w8a8" and smooth is not None:
        smoothed(work, feeds := list(feeds), smooth, exclude)
    wanted = {"MatMul" if op == "Gemm" else op for op in op_types}
    job = _Job(work.graph, mode, Constants(earlier.graph) if earlier is not None else None)
    targets, skipped = job.targets(wanted, exclude)
    if mode == "w8a8":
        names = list(dict.fromkeys(node.input[0] for node in targets))
        job.ranges = calibrate(work, feeds, names, percent) if ranges is None else ranges
    job.rewrite(targets, _tables(work.graph, job.constants, embeddings))
    if not job.done:
        raise ExportError("quantisation: found nothing to quantise; check op types and exclusions")
    remove_unused(work.graph)
    helper.set_model_props(work, {**{p.key: p.value for p in model.metadata_props}, "quant": mode})
    return Quantized(work, tuple(job.done), skipped, job.kept)


@dataclass
class _Job:
    """One graph being rewritten: what was made so far."""

    graph: onnx.GraphProto
    mode: Mode
    earlier: Constants | None = None
    ranges: Mapping[str, float] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    kept: dict[str, tuple[int, int]] = field(default_factory=dict)
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
        if any(matches(name, exclude) for name in _names(node)):
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
        if self.mode == "w4" and (node.op_type != "MatMul" or weight.dims[0] % BLOCK):
            return f"int4 is for a MatMul whose depth is a multiple of {BLOCK}"
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
        if self.mode == "w4":
            node.input[1] = self._blocks(node.input[1], made)
        else:
            node.input[1] = self._weight(node.input[1], WEIGHT_AXIS[node.op_type], made)
        self.done.append(node_label(node))
        return [*made, node]

    def _activation(self, name: str, dtype: int, made: list[NodeProto]) -> str:
        """Add one Q/DQ pair for tensor ``name``, shared by all its readers."""
        result = name + "__dq"
        if result in self._made:
            return result
        greatest = self.ranges.get(name)
        if greatest is None:
            raise ExportError(f"{name}: has no known range; calibrate on feeds")
        if greatest <= 0.0:
            raise ExportError(
                f"{name}: was zero on every feed; give other feeds or exclude its nodes"
            )
        scale = self._store(name + "__scale", scale_of(np.float64(greatest), INT8, _float(dtype)))
        zero = self._store(name + "__zero", np.zeros((), np.int8))
        made.append(
            helper.make_node("QuantizeLinear", [name, scale, zero], [name + "__q"], name + "__Q")
        )
        made.append(
            helper.make_node(
                "DequantizeLinear", [name + "__q", scale, zero], [result], name + "__DQ"
            )
        )
        self._made[result] = name
        return result

    def _weight(self, name: str, axis: int, made: list[NodeProto]) -> str:
        """Store weight ``name`` as int8 with one scale for each channel of ``axis``."""
        result = f"{name}__dq{axis}"
        if result in self._made:
            return result
        tensor = self.constants.tensors[name]
        inputs = self._later(tensor, axis) if is_placeholder(tensor) else self._now(tensor, axis)
        made.append(
            helper.make_node("DequantizeLinear", inputs, [result], f"{name}__DQ{axis}", axis=axis)
        )
        self._made[result] = name
        return result

    def _now(self, tensor: TensorProto, axis: int) -> list[str]:
        name = tensor.name
        values = np.asarray(self.constants.array(name), np.float64)
        others = tuple(index for index in range(values.ndim) if index != axis)
        kind = _float(self.constants.tensors[name].data_type)
        scale = scale_of(np.abs(values).max(axis=others), INT8, kind)
        if self.earlier is not None:
            scale = self._as_earlier(self.earlier, name, values, scale, axis)
        shape = [-1 if index == axis else 1 for index in range(values.ndim)]
        return [
            self._store(f"{name}__int8_{axis}", _codes(values, scale.reshape(shape))),
            self._store(f"{name}__scale_{axis}", scale),
            self._store(f"{name}__zero_{axis}", np.zeros(scale.shape, np.int8)),
        ]

    def _as_earlier(
        self,
        earlier: Constants,
        name: str,
        values: npt.NDArray[np.float64],
        own: Floats,
        axis: int,
    ) -> Floats:
        """Own scales, but the earlier graph's in channels that these serve."""
        codes, scales = (earlier.tensors.get(f"{name}__{x}_{axis}") for x in ("int8", "scale"))
        self.kept[name] = (0, own.size)
        if codes is None or scales is None or tuple(codes.dims) != values.shape:
            return own
        found = np.asarray(earlier.array(scales.name))
        if (found.shape, found.dtype) != (own.shape, own.dtype):
            return own
        kept = kept_scales(values, own, found, axis)
        self.kept[name] = (int(kept.sum()), own.size)
        return np.where(kept, found, own)

    def _later(self, tensor: TensorProto, axis: int) -> list[str]:
        """Codes and scales that are worked out when the weight is read."""
        name, width = tensor.name, [tensor.dims[axis]]
        codes = derived(tensor, f"{name}__int8_{axis}", dtype=TensorProto.INT8, role="int8")
        scale = derived(tensor, f"{name}__scale_{axis}", dims=width, role="scale")
        zero = self._store(f"{name}__zero_{axis}", np.zeros(width, np.int8))
        return [self._add(codes), self._add(scale), zero]

    def _add(self, tensor: TensorProto) -> str:
        if tensor.name not in self.constants:
            self.graph.initializer.append(tensor)
            self.constants.tensors[tensor.name] = tensor
        return tensor.name

    def _blocks(self, name: str, made: list[NodeProto]) -> str:
        """Store weight ``name`` [K, N] as int4 with one scale for each BLOCK values of K."""
        result = f"{name}__dq4"
        if result in self._made:
            return result
        tensor = self.constants.tensors[name]
        depth, width = tensor.dims
        if is_placeholder(tensor):
            shape = (depth // BLOCK, width)
            later = derived(tensor, f"{name}__int4", dtype=TensorProto.INT4, role="int4")
            scales = derived(tensor, f"{name}__scale4", dims=shape, role="scale4")
            inputs = [self._add(later), self._add(scales)]
        else:
            kind = _float(tensor.data_type)
            codes, scale = int4_blocks(np.asarray(self.constants.array(name), np.float32), kind)
            shape = scale.shape
            inputs = [self._int4(f"{name}__int4", codes), self._store(f"{name}__scale4", scale)]
        inputs.append(self._int4(f"{name}__zero4", np.zeros(shape, np.int8)))
        made.append(
            helper.make_node(
                "DequantizeLinear", inputs, [result], f"{name}__DQ4", axis=0, block_size=BLOCK
            )
        )
        self._made[result] = name
        return result

    def _int4(self, name: str, codes: Int8s) -> str:
        return self._add(
            TensorProto(
                name=name,
                data_type=TensorProto.INT4,
                dims=codes.shape,
                raw_data=pack_int4(codes).tobytes(),
            )
        )

    def _gather(self, node: NodeProto) -> list[NodeProto]:
        """Gather fp16 rows, then cast back only what was gathered."""
        name, output = node.input[0], node.output[0]
        values = np.asarray(self.constants.array(name), np.float32)
        if np.abs(values).max() > np.finfo(np.float16).max:
            raise ExportError(f"{name}: has values beyond fp16; do not store it as an embedding")
        node.input[0] = self._store(name + "__fp16", values.astype(np.float16))
        node.output[0] = output + "__fp16"
        self.done.append(node_label(node))
        cast = helper.make_node(
            "Cast", [node.output[0]], [output], node_label(node) + "__fp32", to=TensorProto.FLOAT
        )
        return [node, cast]

    def _store(self, name: str, values: npt.NDArray[np.generic]) -> str:
        return self._add(numpy_helper.from_array(np.asarray(values), name))


def _tables(
    graph: onnx.GraphProto, constants: Constants, patterns: Sequence[str]
) -> list[NodeProto]:
    """Gathers of rows from those constant fp32 matrices whose names fit a pattern."""
    gathers = [
        node
        for node in graph.node
        if node.op_type == "Gather"
        and attribute(node, "axis", 0) == 0
        and node.input[0] in constants
        and constants.tensors[node.input[0]].data_type == TensorProto.FLOAT
        and len(constants.tensors[node.input[0]].dims) == 2
    ]
    check_patterns("embeddings", patterns, [node.input[0] for node in gathers])
    return [node for node in gathers if matches(node.input[0], patterns)]


def _names(node: NodeProto) -> tuple[str, ...]:
    """What a node may be called: its label, and its weight (exporters number nodes)."""
    return (node_label(node), node.input[1]) if len(node.input) > 1 else (node_label(node),)


def _opset(model: onnx.ModelProto, mode: Mode) -> int:
    """The least opset in which the quantised graph can be said."""
    if mode == "w4":
        return 21
    half = any(item.data_type == TensorProto.FLOAT16 for item in model.graph.initializer)
    return 19 if half else 13


def _float(dtype: int) -> type[np.floating[Any]]:
    return np.float16 if dtype == TensorProto.FLOAT16 else np.float32


def _codes(values: npt.NDArray[np.float64], scale: Floats) -> Int8s:
    return to_codes(values, scale.astype(np.float64), INT8)
