"""The graphs of a finished bundle in another precision, from the bundle alone.

This answers "would it build?" without a checkpoint or torch: quantised weights are read back as
the floats they stand for, and written again in the wanted form. The values are those of the
shipped model rounded twice, so a variant proves that a graph parses and builds in a precision; a
bundle meant to be run in it comes from ``linnet export``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from onnx import NodeProto, numpy_helper
from onnx.external_data_helper import uses_external_data

from device.bundle import Bundle, BundlePart
from device.engine.contract import Precision
from device.engine.graph_facts import tensor_bytes
from model_export import lint
from model_export.half import PRODUCTS, to_half
from model_export.onnx_graph import (
    Constants,
    ExportError,
    attribute,
    load,
    matches,
    node_label,
    readers,
    remove_unused,
    tensor_specs,
)
from model_export.quantize import quantize

Wanted = Literal["fp16", "int8", "int4"]
WANTED: tuple[Wanted, ...] = ("fp16", "int8", "int4")
EXTERNAL = 1_500_000_000
"""Bytes of weights above which they are saved beside the graph, which must stay below 2 GB."""
LANGUAGE_MODEL = "lm"  # the one part that is bound by the bytes it reads, so the one in int4


class Underivable(ExportError):
    """What is stored does not hold what the wanted form needs: nothing is wrong with the part."""


@dataclass(frozen=True)
class Policy:
    """What of a part stays fp32 when the rest becomes fp16, and float when the rest is quantised.

    Patterns of constants, for exporters number nodes but weights keep their names. One that fits
    nothing is passed over: families name their layers differently.
    """

    keep: tuple[str, ...] = ()
    """Whose products stay exact: fixed bases, heads, distances to codes."""
    tables: tuple[str, ...] = ("*embed*",)
    constant_only: bool = False
    """Leave products of two computed tensors alone, too."""


POLICIES: Mapping[str, Policy] = {
    "tokenizer": Policy(keep=("*codebook*", "*ctc*", "*pool*", "*expand*")),
    "vocoder": Policy(keep=("*basis*", "*inverse*"), constant_only=True),
}


def variants(bundle: Bundle, wanted: Sequence[Wanted] = WANTED) -> Iterator[tuple[str, Wanted]]:
    """(part, precision) of everything that should build: int4 for the language model alone."""
    for name in bundle.manifest.parts:
        for precision in wanted:
            if precision != "int4" or name == LANGUAGE_MODEL:
                yield name, precision


def variant(part: BundlePart, wanted: Wanted, folder: Path, external: int = EXTERNAL) -> BundlePart:
    """``part`` in another precision, written into ``folder`` and linted.

    A part that is stored as wanted is returned as it is.

    Args:
        part: as it is stored.
        wanted: precision.
        folder: where it goes.
        external: bytes of weights above which they go into a file beside the graph.

    Raises:
        Underivable: int4 stays int4.
        ExportError: it cannot be had.
        LintError: it must not be built.
        EncodeError: protobuf's, for a graph that has more than 2 GB on the way.
    """
    if part.spec.precision in _SAME[wanted]:
        lint.check(part.path)
        return part
    if part.spec.precision == "w4":
        raise Underivable(f"is stored in int4; export a bundle with --precision {wanted}")
    path = folder / f"{part.name}-{wanted}.onnx"
    model, precision = _converted(load(part.path), part.name, wanted)
    beside = weight_bytes(model) > external
    onnx.save(model, path, save_as_external_data=beside, location=f"{path.name}.weights")
    lint.check(path)
    inputs, outputs, state = tensor_specs(model)
    spec = part.spec.model_copy(
        update={"inputs": inputs, "outputs": outputs, "state": state, "precision": precision}
    )
    return BundlePart(part.name, path, spec)


_SAME: Mapping[Wanted, tuple[Precision, ...]] = {
    "fp16": ("fp16",), "int8": ("w8a8", "w8"), "int4": ("w4",),
}  # fmt: skip


def weight_bytes(model: onnx.ModelProto) -> int:
    """Of all constants; told without writing the model, which may be too large for that."""
    return sum(tensor_bytes(item) for item in model.graph.initializer)


def stored_bytes(path: Path) -> int:
    """Of a graph's file and of the weights beside it."""
    constants = load(path, weights=False).graph.initializer
    beside = (item for item in constants if uses_external_data(item))
    return path.stat().st_size + sum(tensor_bytes(item) for item in beside)


def _converted(
    model: onnx.ModelProto, part: str, wanted: Wanted
) -> tuple[onnx.ModelProto, Precision]:
    policy = POLICIES.get(part, Policy())
    plain = dequantised(model)
    exact = _near(plain, policy.keep)
    if wanted == "int8":
        # No speech is at hand, so activations stay float.
        op_types = ("MatMul", "Gemm", "Conv")
        return quantize(plain, "w8", exclude=exact, op_types=op_types).model, "w8"
    if wanted == "int4":
        plain = quantize(plain, "w4", exclude=_near(plain, ("*output_layer*", "head.*"))).model
    tables = [pattern for pattern in policy.tables if _names(plain, pattern)]
    half = to_half(plain, keep=exact, tables=tables, constant_only=policy.constant_only)
    return half, "w4" if wanted == "int4" else "fp16"


def dequantised(model: onnx.ModelProto) -> onnx.ModelProto:
    """A float copy: quantised weights as the floats they stand for, activations unrounded.

    Raises:
        ExportError: a weight is quantised in blocks.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    constants = Constants(copy.graph)
    nodes: list[NodeProto] = []
    instead: dict[str, str] = {}
    for node in copy.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = instead.get(name, name)
        if node.op_type == "QuantizeLinear" or (
            node.op_type == "DequantizeLinear" and node.input[0] not in constants
        ):
            instead[node.output[0]] = node.input[0]
        elif node.op_type == "DequantizeLinear":
            copy.graph.initializer.append(_float_weight(node, constants))
        else:
            nodes.append(node)
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    remove_unused(copy.graph)
    return copy


def _float_weight(node: NodeProto, constants: Constants) -> onnx.TensorProto:
    if attribute(node, "block_size", 0):
        raise ExportError(f"{node_label(node)}: is quantised in blocks; start from a float bundle")
    codes = np.asarray(constants.array(node.input[0]), np.float32)
    stored = constants.array(node.input[1])
    scale = np.asarray(stored, np.float32)
    shape = [1] * codes.ndim
    if scale.ndim:
        shape[int(attribute(node, "axis", 1))] = -1
    values = (codes * scale.reshape(shape)).astype(stored.dtype)  # of the graph around it
    return numpy_helper.from_array(values, node.output[0])


def _near(model: onnx.ModelProto, patterns: Sequence[str]) -> list[str]:
    """Labels of the products that a constant with a fitting name is for.

    It is their weight, straight or through a Transpose, or the bias that is added right after:
    folding may have taken the weight's own name away.
    """
    users, makers = readers(model.graph), {n.output[0]: n for n in model.graph.node if n.output}
    found: list[NodeProto] = []
    for constant in model.graph.initializer:
        if not matches(constant.name, patterns):
            continue
        for user in users.get(constant.name, []):
            found += users.get(user.output[0], []) if user.op_type == "Transpose" else [user]
            if user.op_type == "Add":
                found += [makers[name] for name in user.input if name in makers]
    return sorted({node_label(node) for node in found if node.op_type in PRODUCTS})


def _names(model: onnx.ModelProto, pattern: str) -> list[str]:
    return [item.name for item in model.graph.initializer if matches(item.name, (pattern,))]
