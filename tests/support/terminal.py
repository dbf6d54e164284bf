"""The ``linnet`` command as a user runs it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def linnet(
    *args: object, cwd: Path, typed: str = "", timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; this machine's settings file has no say."""
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *map(str, args)],
        input=typed,
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd,
        env=dict(os.environ, PYTHONPATH=str(ROOT), LINNET_CONFIG=""),
    )


def settings_file(folder: Path, **tables: dict[str, object]) -> Path:
    """A TOML settings file: one table a keyword."""
    path = folder / "linnet.toml"
    lines: list[str] = []
    for name, values in tables.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {_toml(value)}" for key, value in values.items()]
    path.write_text("\n".join(lines) + "\n")
    return path


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str | Path) else str(value).lower()
