"""Constants of a graph whose values come later: shape and type now, and a note where from.

A 9 B model is traced and quantised as a graph of a few megabytes; its weights go from checkpoint to
file one at a time. The note travels in the tensor's own ``external_data``, so passes that rewrite
graphs need to know one thing: what to derive from a placeholder instead of computing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import onnx
from onnx import TensorProto

Role = Literal["value", "int8", "scale", "int4", "scale4"]
_SOURCE, _ROLE, _TURNED = "source", "role", "turned"


def placeholder(
    name: str, dtype: int, dims: Sequence[int], source: str, role: Role = "value", turned: int = 0
) -> TensorProto:
    """A constant to be filled: ``role`` of weight ``source``, turned to [K, N] or not."""
    tensor = TensorProto(name=name, data_type=dtype, dims=dims, data_location=TensorProto.EXTERNAL)
    for key, value in ((_SOURCE, source), (_ROLE, role), (_TURNED, str(turned))):
        tensor.external_data.add(key=key, value=value)
    return tensor


def is_placeholder(tensor: TensorProto) -> bool:
    """Whether the tensor still waits for its values."""
    return any(item.key == _SOURCE for item in tensor.external_data)


def note(tensor: TensorProto) -> tuple[str, Role, bool]:
    """(source, role, turned) of a placeholder."""
    found = {item.key: item.value for item in tensor.external_data}
    role: Role = found[_ROLE]
    return found[_SOURCE], role, found[_TURNED] == "1"


def derived(
    tensor: TensorProto,
    name: str,
    *,
    dtype: int | None = None,
    dims: Sequence[int] | None = None,
    role: Role | None = None,
    turn: bool = False,
) -> TensorProto:
    """Another placeholder of the same source."""
    source, old, turned = note(tensor)
    shape = list(tensor.dims if dims is None else dims)
    return placeholder(
        name,
        tensor.data_type if dtype is None else dtype,
        shape[::-1] if turn else shape,
        source,
        old if role is None else role,
        int(turned != turn),
    )


def inputs_to_placeholders(model: onnx.ModelProto, sources: dict[str, str]) -> None:
    """Turn those graph inputs into placeholders; ``sources`` maps their names to sources. In place.

    A Transpose of one becomes a placeholder of its own, [K, N].
    """
    graph = model.graph
    kept = [item for item in graph.input if item.name not in sources]
    for item in graph.input:
        if item.name in sources:
            tensor = item.type.tensor_type
            dims = [dim.dim_value for dim in tensor.shape.dim]
            graph.initializer.append(
                placeholder(item.name, tensor.elem_type, dims, sources[item.name])
            )
    del graph.input[:]
    graph.input.extend(kept)
    _fold_transposes(graph)


def _fold_transposes(graph: onnx.GraphProto) -> None:
    waiting = {item.name: item for item in graph.initializer if is_placeholder(item)}
    nodes = []
    for node in graph.node:
        tensor = waiting.get(node.input[0]) if node.op_type == "Transpose" else None
        if tensor is not None and len(tensor.dims) == 2 and list(node.attribute[0].ints) == [1, 0]:
            graph.initializer.append(derived(tensor, node.output[0], turn=True))
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
