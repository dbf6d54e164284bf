"""How fast a language model decodes, and what share of the memory's speed that is."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from device.bundle import BundlePart
from device.engine.addresses import byte_size
from device.engine.contract import Engine
from device.engine.graph_facts import bytes_read
from device.engine.states import fixed_dims
from device.speech.language_model import LanguageModel
from services.engine.checks import Figures

WARM_UP = 20


@dataclass(frozen=True)
class Decoding:
    """Milliseconds of each measured step, and the past's mean length meanwhile."""

    ms: tuple[float, ...]
    past: float

    @property
    def tokens_per_s(self) -> float:
        """By the median step."""
        return 1e3 / max(float(np.median(self.ms)), 1e-6)

    def figures(self) -> Figures:
        """Percentiles and rate."""
        p50, p95, p99 = (round(float(x), 4) for x in np.percentile(self.ms, (50, 95, 99)))
        rate = round(self.tokens_per_s, 1)
        return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "tokens_per_s": rate}


def decode(engine: Engine, max_len: int, most: int, token: int = 0) -> Decoding:
    """Read one token after the other, as when speaking.

    Args:
        max_len: positions the model has; no more are read.
        most: steps to measure, where there are as many positions.
    """
    steps = max(1, min(most, max_len - WARM_UP - 1))
    lm = LanguageModel(engine, max_len)
    times = []
    for index in range(min(WARM_UP, max_len - steps) + steps):
        start = time.perf_counter()
        lm.read([token])
        if index >= WARM_UP:
            times.append(1e3 * (time.perf_counter() - start))
    return Decoding(tuple(times), lm.length - len(times) / 2)


def step_bytes(part: BundlePart, past: float) -> int | None:
    """Bytes a step reads: weights, and the caches of ``past`` rows; None without ``onnx``."""
    caches = [tensor for tensor in part.spec.state if tensor.is_cache]
    row = sum(byte_size(fixed_dims(t.dims[1:]), t.numpy_dtype.itemsize) for t in caches)
    try:
        return bytes_read(part.path) + int(row * past)
    except ImportError:
        return None
