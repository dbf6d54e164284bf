"""Other releases of a bundle: one that works as it did, one whose weights were shuffled."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

LARGE = 10_000  # weights; smaller tensors hold scales and shapes


def altered(source: Path, target: Path, version: str, *, shuffled: bool) -> Path:
    """Copy a bundle with another language model in it.

    Args:
        shuffled: put every matrix's weights in another order: it still loads and runs, and speaks
            nonsense. Else only a comment in the graph differs, and so the hash.
    """
    shutil.copytree(source, target)
    path = target / "lm.onnx"
    model = onnx.load(path)
    model.doc_string = version
    if shuffled:
        shuffle = np.random.default_rng(1)
        for tensor in model.graph.initializer:
            weights = numpy_helper.to_array(tensor)
            if weights.dtype == np.int8 and weights.size > LARGE:
                mixed = shuffle.permutation(weights.ravel()).reshape(weights.shape)
                tensor.CopyFrom(numpy_helper.from_array(mixed, tensor.name))
    data = model.SerializeToString()
    path.write_bytes(data)
    manifest = json.loads((target / "manifest.json").read_text("utf-8"))
    manifest["version"] = version
    manifest["parts"]["lm"] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (target / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return target
