"""Where tests that sync some thousand files put them: in memory, where that can be."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@contextmanager
def memory_directory() -> Iterator[Path]:
    """A temporary directory; no real power is cut, so nothing has to reach a platter."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as path:
        yield Path(path)
