"""Two facts about an ONNX file: which linear layers are quantised, and what one step reads.

Needs the ``onnx`` package, which a box has for ``linnet engine`` alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

_LINEAR = frozenset({"MatMul", "Gemm", "Conv", "ConvTranspose"})
_PASSING = frozenset({"Transpose", "Reshape", "Identity", "Cast"})
_ITEM_BITS = {"FLOAT": 32, "FLOAT16": 16, "INT8": 8, "UINT8": 8, "INT4": 4, "UINT4": 4}


def quantised_linears(path: Path) -> frozenset[str]:
    """Names of the linear nodes whose input and weight both come from int8: W8A8.

    Raises:
        ImportError: the ``onnx`` package is not installed.
    """
    graph = _load(path)
    makers = {name: node for node in graph.node for name in node.output}

    def source(name: str) -> onnx.NodeProto | None:
        node = makers.get(name)
        while node is not None and node.op_type in _PASSING:
            node = makers.get(node.input[0])
        return node

    found = set()
    for node in graph.node:
        if node.op_type not in _LINEAR:
            continue
        ends = [source(name) for name in node.input[:2]]
        if not all(end is not None and end.op_type == "DequantizeLinear" for end in ends):
            continue
        first = ends[0]
        before = makers.get(first.input[0]) if first is not None else None
        if before is not None and before.op_type == "QuantizeLinear":
            found.add(node.name)
    return frozenset(found)


def bytes_read(path: Path) -> int:
    """Bytes of weights that one step reads: all of them, but of tables a few rows, ignored.

    Raises:
        ImportError: the ``onnx`` package is not installed.
    """
    graph = _load(path)
    makers = {name: node for node in graph.node for name in node.output}
    tables = set()
    for node in graph.node:
        if node.op_type in ("Gather", "GatherND"):
            maker = makers.get(node.input[0])
            tables |= {node.input[0], *(maker.input[:1] if maker is not None else ())}
    return sum(tensor_bytes(item) for item in graph.initializer if item.name not in tables)


def tensor_bytes(tensor: onnx.TensorProto) -> int:
    """Of its values, wherever they lie."""
    from onnx import TensorProto

    count = 1
    for dim in tensor.dims:
        count *= dim
    bits = _ITEM_BITS.get(TensorProto.DataType.Name(tensor.data_type), 64)
    return -(-count * bits // 8)


def _load(path: Path) -> onnx.GraphProto:
    import onnx

    return onnx.load(path, load_external_data=False).graph
