"""What deltas save between two files or two bundles.

Every file of the new one is made from the file of that name in the old one, applied again and
judged; a file that is new or whose delta saves too little counts in full.
"""

from __future__ import annotations

import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ota.delta import WORTH, apply
from ota.delta_make import make_delta
from ota.store import Store


@dataclass(frozen=True)
class Figures:
    """One file. Seconds are of one processor."""

    file: str
    bytes: int
    delta_bytes: int
    percent: float
    """Delta bytes, of the file's."""
    make_s: float
    apply_s: float
    methods: dict[str, int]


def measure(old: Path, new: Path, name: str) -> Figures:
    """Make a delta, apply it and judge what comes out.

    Raises:
        DeltaError: what comes out is not the new file.
        OSError: a file cannot be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        delta = Path(folder, "delta")
        began = time.process_time()
        made = make_delta(old, new, delta)
        between = time.process_time()
        same = made.header.source == made.header.target  # a device has it already
        apply(delta, old, made.header.target, Store(Path(folder, "store")))
        return Figures(
            name,
            made.header.target.bytes,
            0 if same else made.file.bytes,
            0.0 if same else round(100 * made.ratio, 2),
            round(between - began, 3),
            round(time.process_time() - between, 3),
            made.methods,
        )


@dataclass(frozen=True)
class Report:
    """Every file, and what all of NEW costs a device that has OLD."""

    files: tuple[Figures, ...]
    bytes: int
    to_send: int
    percent: float
    peak_memory_mb: int


def report(old: Path, new: Path) -> Report:
    """Measure two files, or every file of two bundles."""
    if new.is_dir():
        names = sorted(str(p.relative_to(new)) for p in new.rglob("*") if p.is_file())
        files = {name: (old / name, new / name) for name in names}
    else:
        files = {new.name: (old, new)}
    found = [measure(a, b, name) for name, (a, b) in files.items() if a.is_file()]
    full = sum(b.stat().st_size for _, b in files.values())
    saved = sum(f.bytes - f.delta_bytes for f in found if f.delta_bytes < WORTH * f.bytes)
    return Report(
        tuple(found),
        full,
        full - saved,
        round(100 * (full - saved) / max(full, 1), 2),
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )
