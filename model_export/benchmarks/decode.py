"""How near decoding on a CPU comes to the bandwidth of its memory.

``python -m model_export.benchmarks.decode --parameters 0.3`` writes a random GLM with int8 weights,
decodes token by token and prints one JSON object. Bytes read are those of every weight that a token
needs and of the cache; bandwidth is that of copying 512 MB on as many threads, read and written, as
``linnet engine selftest`` counts it.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device.engine.bandwidth import host_gb_s
from device.engine.graph_facts import bytes_read
from device.engine.onnx_cpu import OnnxCpuEngine
from model_export.families.glm import Glm, GlmConfig
from model_export.families.glm_stream import Plan, export_streamed
from model_export.parts import unpacked

BAR = 0.6
COPIED = 512 << 20
WARM_UP, TOKENS, PAST = 5, 40, 64


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parameters", type=float, default=0.3, help="in thousands of millions")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    facts = measure(sized(args.parameters * 1e9), args.threads)
    print(json.dumps(facts, indent=1))
    return 0 if facts["bandwidth_ratio"] >= BAR else 1


def sized(parameters: float) -> GlmConfig:
    """A GLM of at least so many parameters, in the proportions of the 9 B."""
    size = {"vocab": 8192, "heads": 8, "kv_heads": 2, "head_dim": 128, "max_len": 512}
    dim, ffn = 1024, 3456
    layer = dim * (2 * 8 + 2 * 2) * 128 + 3 * dim * ffn
    layers = max(1, math.ceil((parameters - 2 * 8192 * dim) / layer))
    return GlmConfig(dim=dim, ffn=ffn, layers=layers, **size)


@dataclass
class RandomWeights:
    """Numbers that are made when they are read."""

    shapes: dict[str, tuple[int, ...]]

    def __post_init__(self) -> None:
        self._pool = np.random.default_rng(0).standard_normal(1 << 20).astype(np.float32)

    @classmethod
    def of(cls, cfg: GlmConfig) -> RandomWeights:
        """For a model of these sizes."""
        import torch

        with torch.device("meta"):
            state = Glm(cfg).state_dict()
        return cls({name: tuple(tensor.shape) for name, tensor in state.items()})

    def read(self, name: str) -> npt.NDArray[np.float32]:
        return self.rows(name, 0, self.shapes[name][0])

    def rows(self, name: str, start: int, stop: int) -> npt.NDArray[np.float32]:
        shape = (stop - start, *self.shapes[name][1:])
        values = np.resize(self._pool, math.prod(shape)).reshape(shape)
        return values * np.float32(1 / math.sqrt(shape[-1])) if len(shape) > 1 else values * 0 + 1


def measure(cfg: GlmConfig, threads: int) -> dict[str, Any]:
    """Write the model, decode, copy."""
    with tempfile.TemporaryDirectory() as folder:
        done = export_streamed(cfg, RandomWeights.of(cfg), [], Plan("w8"), Path(folder))
        weights = bytes_read(done.graph)
        engine = OnnxCpuEngine(unpacked("lm", done.graph, "w8", {}), threads)
        seconds = decode(engine, cfg)
    cache = 2 * cfg.layers * (PAST + TOKENS // 2) * cfg.kv_heads * cfg.head_dim * 4
    rate = (weights + cache) / seconds
    copied = host_gb_s(COPIED, threads=threads)
    return {
        "parameters": sum(math.prod(shape) for shape in RandomWeights.of(cfg).shapes.values()),
        "threads": threads,
        "bytes_per_token": weights + cache,
        "ms_per_token": round(seconds * 1e3, 2),
        "tokens_per_second": round(1 / seconds, 1),
        "read_gb_per_second": round(rate / 1e9, 2),
        "copy_gb_per_second": round(copied, 2),
        "bandwidth_ratio": round(rate / 1e9 / copied, 2),
        "bar": BAR,
    }


def decode(engine: OnnxCpuEngine, cfg: GlmConfig) -> float:
    """The median seconds of one token behind a cache."""
    state = engine.new_state(cfg.max_len)
    _step(engine, state, list(range(PAST)), 0)
    spent = []
    for number in range(WARM_UP + TOKENS):
        start = time.perf_counter()
        _step(engine, state, [number], PAST + number)
        spent.append(time.perf_counter() - start)
    return float(np.median(spent[WARM_UP:]))


def _step(engine: OnnxCpuEngine, state: Any, ids: Sequence[int], past: int) -> None:
    mask = np.zeros((len(ids), past + len(ids)), np.float32)
    positions = np.arange(past, past + len(ids))
    rows = np.array([len(ids) - 1])
    fed = {"ids": np.array(ids), "position_ids": positions, "mask": mask, "rows": rows}
    engine.run(fed, state)


if __name__ == "__main__":
    sys.exit(main())
