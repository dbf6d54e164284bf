"""Int8 activations as uint8, in memory, for x86 alone.

TensorRT wants symmetric int8 activations with zero-point 0. ONNX Runtime on x86 has fast kernels
for uint8 activations with int8 weights, and on many machines (not all: those with AMX do as well)
slow ones for int8 with int8. Moving both ends of a QuantizeLinear -> DequantizeLinear pair by 128
changes no value:

    q = clip(round(x / s), -128, 127)            x' = q * s
    u = clip(round(x / s) + 128, 0, 255)         x' = (u - 128) * s

The file on disk, and so its hash, stays the TensorRT form. Pairs that are not plain (another reader
of the quantised tensor, weights, a zero-point that is not 0) are left alone. Graphs inside nodes
are not looked at: the export lint refuses them.
"""

from __future__ import annotations

import mmap
import platform
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

_SUFFIX = "__as_uint8"


def has_int8_activations(path: Path) -> bool:
    """True when the graph may hold a QuantizeLinear node; needs no ``onnx`` to see it."""
    # DequantizeLinear spells its q small: weights alone do not match.
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(b"QuantizeLinear") >= 0


def is_x86() -> bool:
    """True on a machine whose kernels prefer uint8 activations."""
    return platform.machine().lower() in {"x86_64", "amd64", "i686"}


def has_vnni(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """True when the processor adds int8 products in 32 bits; False when that is not known."""
    try:
        with cpuinfo.open("rb") as stream:
            text = stream.read(2**20)
    except OSError:
        return False
    return b"avx512_vnni" in text or b"avx_vnni" in text


def rewritten(path: Path) -> tuple[bytes, int]:
    """The graph at ``path`` with uint8 activations, and how many pairs were moved.

    Raises:
        ImportError: the ``onnx`` package is not installed.
        ValueError: the file is not a graph.
    """
    import onnx  # lazy: only x86 with int8 activations needs it
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load(path)
    except DecodeError as error:
        raise ValueError(f"not an ONNX graph: {error}") from error
    moved = shift_pairs(model.graph)
    return model.SerializeToString(), moved


def shift_pairs(graph: onnx.GraphProto) -> int:
    """Move every plain int8 pair of ``graph`` to uint8, in place. Returns how many were moved."""
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    outputs = {output.name for output in graph.output}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    moved, replaced = 0, set[str]()
    for node in graph.node:
        if node.op_type != "QuantizeLinear" or len(node.input) < 3 or node.input[0] in initializers:
            continue
        pair = [node, *readers.get(node.output[0], [])]
        plain = len(pair) > 1 and node.output[0] not in outputs
        if plain and all(_is_int8_zero(end, initializers) for end in pair) and _reads_first(pair):
            moved += 1
            replaced.update(end.input[2] for end in pair)
            for end in pair:
                end.input[2] = _uint8_zero(graph, initializers, end.input[2])
    _drop_unread(graph, replaced)
    return moved


def _drop_unread(graph: onnx.GraphProto, names: set[str]) -> None:
    """Remove those of the initializers ``names`` that no node reads any more."""
    names -= {name for node in graph.node for name in node.input}
    kept = [item for item in graph.initializer if item.name not in names]
    if len(kept) < len(graph.initializer):
        del graph.initializer[:]
        graph.initializer.extend(kept)


def _reads_first(pair: list[onnx.NodeProto]) -> bool:
    quantised = pair[0].output[0]
    return all(end.op_type == "DequantizeLinear" and end.input[0] == quantised for end in pair[1:])


def _is_int8_zero(node: onnx.NodeProto, initializers: dict[str, onnx.TensorProto]) -> bool:
    from onnx import TensorProto, numpy_helper

    zero = initializers.get(node.input[2]) if len(node.input) == 3 else None
    if zero is None or zero.data_type != TensorProto.INT8:
        return False
    return not numpy_helper.to_array(zero).any()


def _uint8_zero(
    graph: onnx.GraphProto, initializers: dict[str, onnx.TensorProto], name: str
) -> str:
    """Name of a uint8 128 shaped like the zero-point ``name``; made once, the old one stays."""
    import numpy as np
    from onnx import numpy_helper

    new = name + _SUFFIX
    if new not in initializers:
        shape = tuple(initializers[name].dims)
        tensor = numpy_helper.from_array(np.full(shape, 128, np.uint8), new)
        graph.initializer.append(tensor)
        initializers[new] = tensor
    return new
