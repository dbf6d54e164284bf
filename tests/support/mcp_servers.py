"""``linnet mcp`` as a process of its own, over standard input and output or over HTTP."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.terminal import ROOT


def program(module: str, *arguments: object) -> tuple[str, ...]:
    """A command line that finds this source tree in whatever environment it is started."""
    python = ("/usr/bin/env", f"PYTHONPATH={ROOT}", "LINNET_CONFIG=", sys.executable)
    return (*python, "-m", module, *map(str, arguments))


def linnet_mcp(*arguments: object) -> tuple[str, ...]:
    return program("services.cli", "mcp", *arguments)


@contextlib.contextmanager
def served_over_http(config: Path) -> Iterator[str]:
    """The URL of a server around a simulated home; it is ended as systemd would."""
    command = linnet_mcp("--http", 0, "--simulated", "--config", config)
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=dict(os.environ)
    )
    try:
        assert process.stdout is not None
        found = re.match(r"(http://127\.0\.0\.1:\d+/mcp), token in ", process.stdout.readline())
        assert found, "it does not say where it listens"
        yield found[1]
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout:
            process.stdout.close()
