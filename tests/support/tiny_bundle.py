"""A valid bundle of a few hundred bytes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def write_bundle(directory: Path, marker: str = "one", padding: int = 0) -> Path:
    """Write a bundle whose content, and so whose digest, follows from ``marker``.

    Args:
        padding: bytes that each file is longer.
    """
    graph = f"graph {marker}".encode() + bytes(padding)
    voice = f"voice {marker}".encode() + bytes(padding)
    files = {"graphs/lm.onnx": graph, "voice.bin": voice}
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    tensor = {"name": "x", "dtype": "f32", "dims": [1]}
    manifest = {
        "family": "linnet_mini",
        "version": "1.0.0",
        "languages": ["en"],
        "sample_rate_in": 16000,
        "sample_rate_out": 16000,
        "schedule": {"text": 1, "audio": 2},
        "licence": "Apache-2.0",
        "notice": f"A test, {marker}.",
        "minimum_runtime": "0.1.0",
        "hardware": {"memory_mb": 1},
        "parts": {
            "lm": _stored("graphs/lm.onnx", graph)
            | {"precision": "fp32", "inputs": [tensor], "outputs": [tensor | {"name": "y"}]}
        },
        "files": {"voice": _stored("voice.bin", voice)},
    }
    (directory / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return directory


def _stored(name: str, content: bytes) -> dict[str, object]:
    digest = hashlib.sha256(content).hexdigest()
    return {"file": name, "bytes": len(content), "sha256": digest}
