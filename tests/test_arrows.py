"""Who may import whom, and what the box must never load: read from the source, not from memory."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("device", "services", "ota", "model_export")

# A room may import itself and these; a dotted name allows that module and what is inside it.
MAY_IMPORT = {
    "device": (),
    "services": ("device", "ota"),
    "ota": ("device.bundle", "device.errors"),
    "model_export": ("device", "services.language"),
}
WORKSHOP_ONLY = ("torch", "onnxscript", "pyworld", "scipy", "model_export")
"""What nothing on the box may import."""


def imports(source: str, module: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import, however deep in the code; relative ones resolved."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(module[: len(module) - node.level]) if node.level else ""
            base = ".".join(part for part in (start, node.module) if part)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def breaches(room: str, path: Path, source: str) -> list[str]:
    allowed = (room, *MAY_IMPORT[room])
    found = []
    for line, name in imports(source, path.with_suffix("").parts):
        top = name.split(".")[0]
        inside = any(name == a or name.startswith(f"{a}.") for a in allowed)
        if top in ROOMS and not inside:
            found.append(f"{path}:{line}: {room} imports {name}")
        if room != "model_export" and top in WORKSHOP_ONLY:
            found.append(f"{path}:{line}: the box imports {name}")
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_point_one_way(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    found = [
        breach
        for file in files
        for breach in breaches(room, file.relative_to(ROOT), file.read_text("utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("device", "import services.settings"),
        ("device", "def f():\n    from ota import storage"),
        ("ota", "from device.engine import onnx_cpu"),
        ("model_export", "from services.home import broker"),
        ("services", "import torch.nn"),
        ("services", "from ..model_export import graph"),
    ],
)
def test_a_wrong_arrow_is_seen(room: str, source: str) -> None:
    assert breaches(room, Path(room, "module.py"), source)


def test_the_command_line_starts_without_heavy_packages() -> None:
    heavy = "{'torch', 'onnx', 'onnxruntime', 'model_export', 'numpy'}"
    code = (
        "import sys; from services.cli import build_parser; build_parser();"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
