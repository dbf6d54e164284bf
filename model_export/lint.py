"""Refuses graphs that ONNX Runtime or a TensorRT from 10.3 on would refuse or misread.

Pure ``onnx``: needs neither runtime, so every export is checked everywhere. The operator list is
what the TensorRT 10.0/10.1 parser table supports and Linnet's families use; the quantisation rules
are TensorRT's explicit-quantisation rules plus those that ONNX Runtime adds at run time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from device.bundle import Part
from device.engine.contract import EngineSpec
from model_export.onnx_graph import (
    Constants,
    ExportError,
    attribute,
    load,
    node_label,
    opset_of,
    readers,
    tensor_specs,
)

_OPS = (
    "Add Sub Mul Div Pow Sqrt Reciprocal Neg Exp Log Sin Cos Tanh Sigmoid Erf Relu LeakyRelu Clip "
    "Cast Identity Constant Gather GatherND Concat Split Slice Reshape Transpose Squeeze Unsqueeze "
    "Expand Shape Where Equal Less Softmax LogSoftmax MatMul Gemm Conv ConvTranspose "
    "LayerNormalization "
    "ReduceMean ReduceSum ReduceMax ArgMax ArgMin Pad Resize Range QuantizeLinear "
    "DequantizeLinear"
)
ALLOWED_OPS = frozenset(_OPS.split())
MAX_OPSET = 20
MAX_OPSET_INT4 = 21
_AXES_INPUT = {"Squeeze": 1, "Unsqueeze": 1, "ReduceMean": 1, "ReduceSum": 1, "ReduceMax": 1}
_AXES_INPUT |= {"Slice": 3, "Pad": 3}
_INT4 = (TensorProto.INT4, TensorProto.UINT4)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: the rule, the node or tensor, and the words."""

    rule: str
    where: str
    problem: str

    def __str__(self) -> str:
        return f"[{self.rule}] {self.where}: {self.problem}"


class LintError(ExportError):
    """A graph that must not be shipped. ``findings`` has them all."""

    def __init__(self, where: str, findings: list[Finding]) -> None:
        shown = "\n  ".join(str(item) for item in findings[:20])
        super().__init__(f"{where}: {len(findings)} findings; change the export\n  {shown}")
        self.findings = findings


def check(path: Path, spec: EngineSpec | Part | None = None) -> None:
    """Lint the graph at ``path``, against ``spec`` when there is one.

    Raises:
        LintError: with every finding.
        ExportError: the file cannot be read.
    """
    # Without the weights: a 9 B model must not fill the memory only to be looked at.
    findings = lint(load(path, weights=False), spec, path)
    if findings:
        raise LintError(str(path), findings)


def lint(
    model: onnx.ModelProto, spec: EngineSpec | Part | None = None, path: Path | None = None
) -> list[Finding]:
    """Every finding in ``model``, which may lie at ``path``; empty when it may be shipped."""
    constants = Constants(model.graph, path.parent if path else None)
    findings = [*_operators(model), *_opset(model), *_traces(model)]
    findings += _axes(model.graph, constants)
    findings += _quantisation(model.graph, constants)
    findings += _interface(model, spec)
    findings += _validity(model, path)
    return findings


def warnings(model: onnx.ModelProto) -> list[Finding]:
    """What may be shipped and may not do on TensorRT what it does elsewhere."""
    graph = model.graph
    constants, users = Constants(graph), readers(graph)
    makers = {name: node for node in graph.node for name in node.output}
    alone = [
        node_label(user)
        for node in graph.node
        if node.op_type == "DequantizeLinear" and _is_int8(constants, node.input[0])
        for user in users.get(node.output[0], [])
        if output_channel_axis(user, node.output[0], 2) is not None
        and not _is_quantised(makers, user.input[0])
    ]
    if not alone:
        return []
    problem = (
        "have INT8 weights and float inputs (W8); TensorRT 10.3 documents that for INT4 alone and "
        "may fold them to float"
    )
    return [Finding("weight-only", f"{len(alone)} layers, the first {alone[0]}", problem)]


def _is_int8(constants: Constants, name: str) -> bool:
    return name in constants and constants.tensors[name].data_type == TensorProto.INT8


def _is_quantised(makers: Mapping[str, onnx.NodeProto], name: str) -> bool:
    """Whether a tensor comes from a DequantizeLinear, straight or through what only moves it."""
    node = makers.get(name)
    while node is not None and node.op_type in ("Transpose", "Reshape", "Identity", "Cast"):
        node = makers.get(node.input[0])
    return node is not None and node.op_type == "DequantizeLinear"


def _validity(model: onnx.ModelProto, path: Path | None) -> Iterator[Finding]:
    try:
        onnx.checker.check_model(str(path) if path else model)
    except onnx.checker.ValidationError as error:
        yield Finding("invalid", model.graph.name or "graph", " ".join(str(error).split())[:300])


def _operators(model: onnx.ModelProto) -> Iterator[Finding]:
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx"):
            yield Finding(
                "op", node_label(node), f"{node.domain}.{node.op_type} is not a standard op"
            )
        elif node.op_type not in ALLOWED_OPS:
            yield Finding(
                "op", node_label(node), f"{node.op_type} is not on the list of allowed ops"
            )
    if model.functions:
        yield Finding("op", model.functions[0].name, "local functions must be inlined")


def _traces(model: onnx.ModelProto) -> Iterator[Finding]:
    """An exporter's debugging notes name files of the machine it ran on."""
    for node in model.graph.node:
        if any("stack_trace" in item.key for item in node.metadata_props):
            yield Finding("trace", node_label(node), "carries a stack trace; see strip_traces")
            return


def _opset(model: onnx.ModelProto) -> Iterator[Finding]:
    version = opset_of(model)
    has_int4 = any(item.data_type in _INT4 for item in model.graph.initializer)
    limit = MAX_OPSET_INT4 if has_int4 else MAX_OPSET
    if not 13 <= version <= limit:
        yield Finding("opset", "model", f"opset {version} is outside 13..{limit}")


def _axes(graph: onnx.GraphProto, constants: Constants) -> Iterator[Finding]:
    for node in graph.node:
        place = _AXES_INPUT.get(node.op_type)
        if place is not None and len(node.input) > place:
            name = node.input[place]
            if name and name not in constants:
                yield Finding(
                    "axes", node_label(node), f"{node.op_type} has computed axes {name!r}"
                )


def _interface(model: onnx.ModelProto, spec: EngineSpec | Part | None) -> Iterator[Finding]:
    try:
        found = tensor_specs(model)
    except ExportError as error:
        yield Finding("interface", "graph", str(error))
        return
    if spec is None:
        return
    declared = (spec.inputs, spec.outputs, spec.state)
    for kind, graph_side, manifest_side in zip(
        ("inputs", "outputs", "state"), found, declared, strict=True
    ):
        ours = {(item.name, item.dtype, item.dims) for item in graph_side}
        theirs = {(item.name, item.dtype, item.dims) for item in manifest_side}
        if ours != theirs:
            problem = f"graph alone has {sorted(ours - theirs, key=str)}, "
            problem += f"manifest alone has {sorted(theirs - ours, key=str)}"
            yield Finding("interface", kind, problem)


def _quantisation(graph: onnx.GraphProto, constants: Constants) -> Iterator[Finding]:
    by_input = readers(graph)
    for node in graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        for rule, problem in _pair_end(node, constants):
            yield Finding(rule, node_label(node), problem)
        if node.op_type == "DequantizeLinear" and node.input[0] in constants:
            for rule, problem in _weight(node, constants, by_input.get(node.output[0], [])):
                yield Finding(rule, node_label(node), problem)


def _pair_end(node: onnx.NodeProto, constants: Constants) -> Iterator[tuple[str, str]]:
    """Scale and zero-point of one QuantizeLinear or DequantizeLinear."""
    if len(node.input) < 3 or not node.input[2]:
        # Left out, it means uint8 to ONNX and int8 to TensorRT: two models in one file.
        yield "zero-point", "has no zero-point tensor"
    elif node.input[2] not in constants:
        yield "zero-point", "has a computed zero-point"
    else:
        zero = constants.tensors[node.input[2]]
        if zero.data_type not in (TensorProto.INT8, TensorProto.INT4):
            yield "zero-point", f"is {TensorProto.DataType.Name(zero.data_type)}, not INT8 or INT4"
        elif np.asarray(constants.array(node.input[2])).astype(np.int32).any():
            yield "zero-point", "is not 0"
    if len(node.input) < 2 or node.input[1] not in constants:
        yield "scale", "has a computed scale"
        return
    scale = np.asarray(constants.array(node.input[1]), np.float64)
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        yield "scale", "has a scale that is not finite and above 0"


def _weight(
    node: onnx.NodeProto, constants: Constants, users: list[onnx.NodeProto]
) -> Iterator[tuple[str, str]]:
    """Axis and blocking of a quantised constant."""
    weight = constants.tensors[node.input[0]]
    block = attribute(node, "block_size", 0)
    if weight.data_type in _INT4 and len(weight.dims) != 2:
        yield "int4", f"INT4 of rank {len(weight.dims)}; TensorRT wants 2"
    if block and weight.data_type not in _INT4:
        yield "block", "blocked scales are for INT4 alone"
    if block or len(node.input) < 2 or node.input[1] not in constants:
        return
    if constants.array(node.input[1]).size == 1:
        return  # per tensor: the axis means nothing
    axis = int(attribute(node, "axis", 1))
    axis += len(weight.dims) if axis < 0 else 0
    for user in users:
        wanted = output_channel_axis(user, node.output[0], len(weight.dims))
        if wanted is not None and axis != wanted:
            yield (
                "axis",
                f"scales lie on axis {axis}; {user.op_type} needs {wanted}, output channels",
            )


def output_channel_axis(node: onnx.NodeProto, name: str, rank: int) -> int | None:
    """Axis of ``node``'s weight ``name`` that counts output channels; None: it is no weight."""
    if len(node.input) < 2 or node.input[1] != name:
        return None
    if node.op_type == "MatMul":
        return rank - 1
    if node.op_type == "Gemm":
        return 0 if attribute(node, "transB", 0) else 1
    return {"Conv": 0, "ConvTranspose": 1}.get(node.op_type)
