"""The public TUF suite against the device's client, where a copy of the suite is at hand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCE = os.environ.get("CONFORMANCE_SOURCE", "")
LIMIT_S = 1800

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path(SOURCE or "nowhere").is_dir() or shutil.which("faketime") is None,
        reason="set CONFORMANCE_SOURCE to a clone of github.com/theupdateframework/"
        "tuf-conformance and install faketime, or run make conformance",
    ),
]


def done(*words: object, environment: dict[str, str] | None = None) -> str:
    found = subprocess.run(
        [str(word) for word in words],
        env=environment, capture_output=True, text=True, check=False, timeout=LIMIT_S,
    )  # fmt: skip
    assert found.returncode == 0, (found.stdout + found.stderr)[-4000:]
    return found.stdout


def test_every_case_of_the_suite_passes_as_the_page_says(tmp_path: Path) -> None:
    """In an environment of its own: the simulator pins another python-tuf than devices run."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    revision = re.search(r"^CONFORMANCE_REVISION := (\w{40})$", makefile, re.MULTILINE)
    page = (ROOT / "docs" / "conformance.md").read_text("utf-8")
    stated = re.search(r"`(\d+) passed", page)
    assert revision is not None
    assert stated is not None
    suite, python = tmp_path / "suite", tmp_path / "venv" / "bin" / "python"
    done("git", "clone", "--quiet", Path(SOURCE).resolve(), suite)
    done("git", "-C", suite, "checkout", "--quiet", revision[1])
    done(sys.executable, "-m", "venv", tmp_path / "venv")
    done(python, "-m", "pip", "install", "--quiet", suite)
    said = done(
        python, "-m", "pytest", "-q", "-p", "no:cacheprovider", suite / "tuf_conformance",
        "-c", suite / "pyproject.toml",
        "--entrypoint", f"{sys.executable} -m services.cli ota conformance",
        environment={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert re.search(rf"^{stated[1]} passed in ", said, re.MULTILINE), said[-4000:]
