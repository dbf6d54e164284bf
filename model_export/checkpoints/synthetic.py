"""Checkpoints of the published layout, any width, random numbers: for tests and measures."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

Shapes = Mapping[str, tuple[int, ...]]
_POOL = 1 << 20
"""Random numbers that are drawn; a tensor repeats them from a place of its own."""


def write_random_shards(folder: Path, shapes: Shapes, shards: int, seed: int = 0) -> list[Path]:
    """bf16 safetensors of these shapes in about equally large files, and their index.

    Vectors get values around 1 (they are gains; as biases they do no harm), the rest has the
    spread of a trained layer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pool = np.random.default_rng(seed).standard_normal(_POOL).astype(np.float32)
    placed: dict[str, str] = {}
    files = []
    for number, names in enumerate(_split(shapes, shards), 1):
        file = folder / f"model-{number:05}-of-{shards:05}.safetensors"
        _write(file, {name: shapes[name] for name in names}, pool)
        placed |= dict.fromkeys(names, file.name)
        files.append(file)
    index = {"metadata": {}, "weight_map": placed}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return files


def random_values(
    name: str, shape: tuple[int, ...], pool: npt.NDArray[np.float32]
) -> Iterable[npt.NDArray[np.float32]]:
    """A tensor's numbers in pieces of at most ``_POOL``."""
    left = math.prod(shape)
    spread = 1.0 / math.sqrt(shape[-1] if len(shape) == 2 else math.prod(shape[1:]) or 1)
    turned = np.roll(pool, sum(name.encode()))
    values = 1.0 + 0.02 * turned if len(shape) == 1 else spread * turned
    while left > 0:
        yield values[: min(left, len(values))]
        left -= len(values)


def bf16(values: npt.NDArray[np.float32]) -> bytes:
    """Rounded to the nearest."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()


def _write(file: Path, shapes: Shapes, pool: npt.NDArray[np.float32]) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in shapes.items():
        end = offset + 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    with file.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes.items():
            for piece in random_values(name, shape, pool):
                stream.write(bf16(piece))


def _split(shapes: Shapes, shards: int) -> list[list[str]]:
    whole = sum(math.prod(shape) for shape in shapes.values())
    groups: list[list[str]] = [[] for _ in range(shards)]
    done = 0
    for name, shape in shapes.items():
        groups[min(shards - 1, done * shards // whole)].append(name)
        done += math.prod(shape)
    return groups
