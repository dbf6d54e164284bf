"""A few fixed lengths for a cache that grows: pure choice, and the mask that hides the padding.

A CUDA graph has one shape, so the past is fed as a bucket of 128, 256, 512 … rows. Rows beyond the
past are zeros or old rows, always finite, and the mask takes their weight to exactly zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from device.engine.contract import Array, EngineSpec

LEAST = 128  # rows
MASKED = -1e4  # additive; finite, as fp16 and the engine contract ask


@dataclass(frozen=True)
class PastDim:
    """How a graph speaks of its past.

    Attributes:
        name: the named dim of the caches' rows, ``P``.
        masks: inputs with an axis ``P+…``, and that axis: padding is hidden there.
    """

    name: str
    masks: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, spec: EngineSpec) -> PastDim | None:
        """That of a graph; None for one without caches."""
        names = {str(tensor.dims[0]) for tensor in spec.state if tensor.is_cache}
        if len(names) != 1:
            return None
        name = names.pop()
        masks = [
            (tensor.name, axis)
            for tensor in spec.inputs
            for axis, dim in enumerate(tensor.dims)
            if isinstance(dim, str) and dim.replace(" ", "").startswith(f"{name}+")
        ]
        return cls(name, tuple(masks))


def ladder(rows: int, most: int | None = None) -> tuple[int, ...]:
    """The buckets of a cache of ``rows`` rows, ascending: 128·2^k up to what holds them all.

    Args:
        most: rows the plan was built for; no bucket is larger.
    """
    steps = [LEAST]
    while steps[-1] < rows:
        steps.append(steps[-1] * 2)
    if most is None:
        return tuple(steps)
    return (*(step for step in steps[:-1] if step < most), min(steps[-1], most))


def bucket_of(fed: int, buckets: tuple[int, ...]) -> int:
    """The least bucket that holds ``fed`` rows; ``fed`` itself where none does."""
    return next((bucket for bucket in buckets if bucket >= fed), fed)


def padded(mask: Array, axis: int, past: int, bucket: int) -> Array:
    """``mask`` over ``past`` old and some new rows, widened to ``bucket`` old ones, all hidden."""
    if past == bucket:
        return mask
    width = [(0, 0)] * mask.ndim
    old, new = np.split(mask, [past], axis)
    width[axis] = (0, bucket - past)
    wide: Array = np.concatenate([np.pad(old, width, constant_values=MASKED), new], axis)
    return wide
