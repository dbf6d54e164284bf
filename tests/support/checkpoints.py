"""Writes safetensors files as publishers do: the format by hand, so that it can be damaged."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

SIZES = {"F32": 4, "F16": 2, "BF16": 2}


def write_safetensors(path: Path, tensors: Mapping[str, np.ndarray], kind: str = "BF16") -> None:
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, values in tensors.items():
        size = values.size * SIZES[kind]
        header[name] = {
            "dtype": kind,
            "shape": list(values.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for values in tensors.values():
            stream.write(raw(values, kind))


def raw(values: np.ndarray, kind: str) -> bytes:
    if kind == "BF16":  # rounded to the nearest
        bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
        rounded = bits + 0x7FFF + ((bits >> 16) & 1)
        nan = np.isnan(values)
        return np.where(nan, 0x7FC0, rounded >> 16).astype(np.uint16).tobytes()
    return values.astype({"F32": np.float32, "F16": np.float16}[kind]).tobytes()


def write_sharded(
    folder: Path, tensors: Mapping[str, np.ndarray], shards: int, kind: str = "BF16"
) -> list[Path]:
    """Shards of about equal numbers of tensors, and their index."""
    folder.mkdir(parents=True, exist_ok=True)
    names = np.array_split(np.array(list(tensors)), shards)
    placed, files = {}, []
    for number, group in enumerate(names, 1):
        file = folder / f"model-{number:05}-of-{shards:05}.safetensors"
        write_safetensors(file, {str(name): tensors[str(name)] for name in group}, kind)
        placed |= {str(name): file.name for name in group}
        files.append(file)
    index = {"metadata": {"total_size": 0}, "weight_map": placed}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return files
