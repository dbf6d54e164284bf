"""A fine-tune without training: quantised weights that moved a little, scales as they were.

``python -m tests.support.fine_tune OLD.onnx NEW.onnx --sigma 0.02`` adds noise of that share of
each tensor's spread to the weights behind the int8 codes. What training had rounded away is drawn
anew, evenly within a step, as it lay before rounding.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, numpy_helper


def fine_tune(old: Path, new: Path, sigma: float, *, floats: bool = False, seed: int = 1) -> float:
    """Write the moved model; the share of int8 weights that changed.

    Args:
        floats: whether large float tables move, too.
    """
    rng = np.random.default_rng(seed)
    model = onnx.load(old)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    changed = total = 0
    for node in model.graph.node:
        tensor = tensors.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if tensor is None or tensor.data_type != TensorProto.INT8 or not tensor.dims:
            continue
        codes = numpy_helper.to_array(tensor)
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        scale = _along(numpy_helper.to_array(tensors[node.input[1]]), axis, codes.ndim)
        moved = _moved(codes, scale, sigma, rng)
        tensor.raw_data = moved.tobytes()
        changed += int(np.count_nonzero(moved != codes))
        total += codes.size
    for tensor in tensors.values():
        if floats and tensor.data_type == TensorProto.FLOAT and len(tensor.raw_data) > 2**17:
            values = numpy_helper.to_array(tensor)
            noise = rng.standard_normal(values.shape, np.float32) * sigma * values.std()
            tensor.raw_data = (values + noise).astype("<f4").tobytes()
    onnx.save(model, new)
    return changed / total


def _along(scale: npt.NDArray[np.float32], axis: int, ndim: int) -> npt.NDArray[np.float32]:
    return scale.reshape([-1 if n == axis % ndim else 1 for n in range(ndim)])


def _moved(
    codes: npt.NDArray[np.int8],
    scale: npt.NDArray[np.float32],
    sigma: float,
    rng: np.random.Generator,
) -> npt.NDArray[np.int8]:
    rounded_away = rng.random(codes.shape, np.float32) - np.float32(0.5)
    weights = (codes + rounded_away) * scale
    weights += rng.standard_normal(codes.shape, np.float32) * sigma * weights.std()
    return np.clip(np.rint(weights / scale), -127, 127).astype(np.int8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--sigma", type=float, default=0.02)
    parser.add_argument("--floats", action="store_true")
    args = parser.parse_args()
    changed = fine_tune(args.old, args.new, args.sigma, floats=args.floats)
    print(f"{100 * changed:.1f} % of the int8 weights changed")


if __name__ == "__main__":
    main()
