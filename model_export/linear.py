"""One pattern for every linear layer: a Gemm with a constant weight becomes MatMul (+ Add)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

from model_export.onnx_graph import Constants, attribute, matches, node_label
from model_export.placeholders import derived, is_placeholder


def split_gemms(graph: onnx.GraphProto, exclude: Sequence[str], op_types: Sequence[str]) -> None:
    """Turn plain Gemms with a constant weight into MatMul (+ Add), in place; same values."""
    constants = Constants(graph)
    nodes: list[NodeProto] = []
    for node in graph.node:
        known = node.op_type == "Gemm" and "Gemm" in op_types
        if known and not any(matches(name, exclude) for name in (node_label(node), node.input[1])):
            nodes += _split_gemm(graph, constants, node)
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _split_gemm(graph: onnx.GraphProto, constants: Constants, node: NodeProto) -> list[NodeProto]:
    plain = all(attribute(node, name, 1.0) == 1.0 for name in ("alpha", "beta"))
    if not plain or attribute(node, "transA", 0) or node.input[1] not in constants:
        return [node]
    weight = node.input[1]
    if attribute(node, "transB", 0):
        weight += "__transposed"
        tensor = constants.tensors[node.input[1]]
        if weight not in constants and is_placeholder(tensor):
            graph.initializer.append(derived(tensor, weight, turn=True))
            constants.tensors[weight] = graph.initializer[-1]
        if weight not in constants:
            turned = np.ascontiguousarray(constants.array(node.input[1]).T)
            graph.initializer.append(numpy_helper.from_array(turned, weight))
            constants.tensors[weight] = graph.initializer[-1]
    has_bias = len(node.input) > 2 and bool(node.input[2])
    product = node.output[0] + "__product" if has_bias else node.output[0]
    name = node_label(node)
    made = [helper.make_node("MatMul", [node.input[0], weight], [product], name)]
    if has_bias:
        made.append(
            helper.make_node("Add", [product, node.input[2]], [node.output[0]], name + "_bias")
        )
    return made
