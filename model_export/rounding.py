"""Floats as int8 and int4 and what they come back as: the numbers, without any graph.

Symmetric always: zero is zero, and the least code (-128, -8) stays unused. A weight is [K, N], K
summed over: int8 has one scale for each of its N output channels, int4 one for each BLOCK values
of K in each channel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from model_export.onnx_graph import ExportError

Floats = npt.NDArray[np.floating[Any]]
Int8s = npt.NDArray[np.int8]
INT8, INT4 = 127, 7
BLOCK = 128
WORSE = 1.5


def scale_of(
    greatest: npt.NDArray[Any] | np.floating[Any], codes: int, dtype: npt.DTypeLike = np.float32
) -> Floats:
    """Scales so that ``greatest`` becomes ``codes``, in the float type of the graph, never 0."""
    # A channel of zeros has no magnitude; any scale above 0 serves it.
    least = np.finfo(np.dtype(dtype)).tiny
    scale: Floats = np.maximum(np.asarray(greatest, np.float64) / codes, least).astype(dtype)
    return scale


def to_codes(values: npt.NDArray[Any], scale: npt.NDArray[Any], codes: int) -> Int8s:
    """``values / scale``, rounded half to even; ``scale`` as it is stored, for fp16 rounds it."""
    rounded = values / scale  # in place from here: a layer of a 9 B model has 450 MB
    np.rint(rounded, out=rounded)
    np.clip(rounded, -codes, codes, out=rounded)
    return np.asarray(rounded.astype(np.int8), np.int8)


def kept_scales(
    values: npt.NDArray[np.float64], own: Floats, earlier: Floats, axis: int
) -> npt.NDArray[np.bool_]:
    """Channels of ``axis`` that an earlier release's scales serve nearly as well as their own.

    Clipped or coarser, a channel's squared error may be ``WORSE`` times that of its own scale.
    """
    shape = [-1 if index == axis else 1 for index in range(values.ndim)]
    others = tuple(index for index in range(values.ndim) if index != axis)

    def error(scale: Floats) -> npt.NDArray[np.float64]:
        wide = scale.astype(np.float64).reshape(shape)
        found = np.square(to_codes(values, wide, INT8) * wide - values).sum(axis=others)
        return np.asarray(found, np.float64)

    sound = np.isfinite(earlier) & (earlier > 0)
    usable = np.where(sound, earlier, own)
    return np.asarray(sound & (error(usable) <= WORSE * error(own)), np.bool_)


def int8_columns(weight: Floats, dtype: npt.DTypeLike = np.float32) -> tuple[Int8s, Floats]:
    """[K, N] → int8 [K, N] and scales [N]."""
    scale = scale_of(_greatest(weight, 0), INT8, dtype)
    return to_codes(weight, scale.astype(np.float32), INT8), scale


def int4_blocks(
    weight: Floats, dtype: npt.DTypeLike = np.float32, block: int = BLOCK
) -> tuple[Int8s, Floats]:
    """[K, N] → codes -7..7 as int8 [K, N] and scales [K / block, N].

    Raises:
        ExportError: K is no multiple of ``block``.
    """
    depth, width = weight.shape
    if depth % block:
        raise ExportError(f"int4: a depth of {depth} is no multiple of the block of {block}")
    blocks = weight.reshape(depth // block, block, width)
    scale = scale_of(_greatest(blocks, 1), INT4, dtype)
    codes = to_codes(blocks, scale.astype(np.float32)[:, None], INT4)
    return codes.reshape(depth, width), scale


def restored(codes: Int8s, scale: Floats) -> npt.NDArray[np.float32]:
    """What an engine computes with: codes times scales, [K, N] in float32."""
    values = codes.astype(np.float32)
    blocks = values.reshape(len(scale), -1, codes.shape[1]) if scale.ndim == 2 else values
    blocks *= scale.astype(np.float32)[:, None] if scale.ndim == 2 else scale.astype(np.float32)
    return values


def _greatest(values: Floats, axis: int) -> Floats:
    """Magnitudes, without a copy of all of them."""
    return np.asarray(np.maximum(values.max(axis=axis), -values.min(axis=axis)))


def pack_int4(codes: Int8s) -> npt.NDArray[np.uint8]:
    """Two codes in a byte, the earlier one in the low half: the layout of ONNX INT4."""
    flat = codes.reshape(-1).view(np.uint8) & 0x0F
    if flat.size % 2:
        flat = np.append(flat, np.uint8(0))
    packed = flat[0::2] | (flat[1::2] << 4)
    return packed.astype(np.uint8, copy=False)
