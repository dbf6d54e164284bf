"""SmoothQuant: moves the size of outlying channels from activations into weights.

A channel of an activation that is far larger than the others spends the whole int8 range. Dividing
it by s and multiplying the matching weight rows by s changes no result in exact arithmetic. Here
the division is folded into the gain of the norm before the layer, so it costs nothing at run time
(Xiao et al., arXiv:2211.10438; s = max|x|^a / max|w|^(1-a)).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, numpy_helper

from model_export.calibrate import Feeds, channel_magnitudes
from model_export.onnx_graph import Constants, matches, node_label, readers

LEAST = 1e-5


def factors(activation: npt.NDArray[Any], weight: npt.NDArray[Any], alpha: float) -> Any:
    """s for each channel: from greatest magnitudes of activation [K] and of weight rows [K]."""
    x, w = np.maximum(activation, LEAST), np.maximum(weight, LEAST)
    s = x**alpha / w ** (1.0 - alpha)
    return np.asarray(s / np.exp(np.log(s).mean()), np.float32)  # keeps weights near their size


def smooth(
    model: onnx.ModelProto, feeds: Feeds, alpha: float, exclude: Sequence[str] = ()
) -> tuple[str, ...]:
    """Smooth, in place, every norm whose readers are all MatMuls with constant weights.

    Args:
        model: fp32, with the gain of each norm (LayerNormalization, or a Mul by a constant vector
            as an RMSNorm ends) as a constant.
        feeds: sample inputs.
        alpha: how much moves, 0..1; 0.5 is usual.
        exclude: patterns of node names; a norm that one of these reads is left alone.

    Returns:
        The smoothed activations.
    """
    constants, users = Constants(model.graph), readers(model.graph)
    found = [
        (node, user_nodes)
        for node in model.graph.node
        if _gain(node, constants)
        and (user_nodes := users.get(node.output[0], []))
        and all(_linear(user, node.output[0], constants, exclude) for user in user_nodes)
        and _theirs_alone(node, user_nodes, constants, users)
    ]
    seen = channel_magnitudes(model, feeds, [node.output[0] for node, _ in found])
    for node, user_nodes in found:
        weights = {user.input[1] for user in user_nodes}
        rows = [np.abs(np.asarray(constants.array(w), np.float32)).max(axis=1) for w in weights]
        s = factors(seen[node.output[0]], np.max(rows, axis=0), alpha)
        for name in (*_gains(node, constants),):
            _scale(constants.tensors[name], 1.0 / s)
        for name in weights:
            _scale(constants.tensors[name], s[:, None])
    return tuple(node.output[0] for node, _ in found)


def _gain(node: NodeProto, constants: Constants) -> bool:
    return bool(_gains(node, constants))


def _gains(node: NodeProto, constants: Constants) -> list[str]:
    """Constants that multiply or shift each channel of the node's output, and nothing else."""
    if node.op_type == "LayerNormalization":
        named = [name for name in node.input[1:] if name]
        return named if all(name in constants for name in named) else []
    if node.op_type == "Mul":
        return [
            name for name in node.input
            if name in constants and len(constants.tensors[name].dims) == 1
            and constants.tensors[name].dims[0] > 1
        ]  # fmt: skip
    return []


def _linear(node: NodeProto, name: str, constants: Constants, exclude: Sequence[str]) -> bool:
    return (
        node.op_type == "MatMul"
        and node.input[0] == name
        and node.input[1] in constants
        and len(constants.tensors[node.input[1]].dims) == 2
        and not matches(node_label(node), exclude)
    )


def _theirs_alone(
    node: NodeProto,
    user_nodes: list[NodeProto],
    constants: Constants,
    users: dict[str, list[NodeProto]],
) -> bool:
    """Whether nothing else reads the constants that would change (exporters share equal ones)."""
    ours = [(name, [node]) for name in _gains(node, constants)]
    ours += [(user.input[1], user_nodes) for user in user_nodes]
    return all(
        all(any(reader is known for known in allowed) for reader in users[name])
        for name, allowed in ours
    )


def _scale(tensor: onnx.TensorProto, by: npt.NDArray[Any]) -> None:
    values = np.asarray(numpy_helper.to_array(tensor))
    tensor.CopyFrom(numpy_helper.from_array((values * by).astype(values.dtype), tensor.name))
