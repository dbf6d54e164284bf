"""Whether this device runs on plans built for its GPU, and whether those of a release are there.

The updater may not touch the GPU: linnet-engine-staged builds, and this only looks at the names of
files. What lies there is judged by whoever loads it.
"""

from __future__ import annotations

import json
from pathlib import Path

FACTS = ".json"
"""What is known of a plan is written last, beside it."""


def awaited(plans: Path, current: Path, staged: Path) -> frozenset[str]:
    """Names of plans that the generation in service has and the staged one has not yet.

    Empty on a device without plans, such as a PC, and once all are built.

    Args:
        plans: directory of plans; in it one directory for each bundle, by its digest.
        current, staged: directories of generations, which are named by their digests, too.
    """
    parts = _parts(staged)
    wanted = {name for name in _plans(plans, current) if name.split("-trt")[0] in parts}
    return frozenset(wanted - _plans(plans, staged))


def _plans(plans: Path, generation: Path) -> set[str]:
    folder = plans / generation.name.partition("-")[2]
    return {path.stem for path in folder.glob(f"*{FACTS}") if path.with_suffix(".plan").is_file()}


def _parts(generation: Path) -> set[str]:
    """Names of the graphs of a verified generation."""
    return set(json.loads((generation / "manifest.json").read_bytes())["parts"])
