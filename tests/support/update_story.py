"""One update, step by step in the order that makes it safe, and what must hold wherever it ends.

    fetch → admit → stage → state.json says TRIAL → switch → collect

``python -m tests.support.update_story KILLS SEED`` forks a process that installs two bundles in
turns, kills it at random moments of the real disk, and judges what each kill left.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from device.bundle import Bundle
from device.errors import BundleError
from ota.errors import OtaError
from ota.generations import Generations
from ota.storage import Disk, Storage, replace_file
from tests.support.tiny_bundle import write_bundle
from tests.support.tiny_release import release_of

STATE = "state.json"
ATTEMPTS = 3
PIECE = 2**16


def update(root: Path, bundle_dir: Path, disk: Storage) -> None:
    """Bring a bundle over the air, as far as a trial of it."""
    generations, release = Generations(root, disk), release_of(bundle_dir)
    store = generations.store
    store.want(content.sha256 for content in release.contents)
    for content in release.contents:
        if not store.has(content):
            _gather(generations, bundle_dir / content.file, content.sha256)
            store.admit(content)
    staged = generations.stage(release)
    begin_trial(root, staged.name, disk)
    generations.switch(staged.name)
    generations.collect()


def _gather(generations: Generations, source: Path, sha256: str) -> None:
    """Go on where the part ends; one that is too long or wrong is found by ``admit``."""
    store, data = generations.store, source.read_bytes()
    if store.gathered(sha256) > len(data):
        store.drop_part(sha256)
    for start in range(store.gathered(sha256), len(data), PIECE):
        store.append(sha256, data[start : start + PIECE])


def retried(root: Path, bundle_dir: Path, disk: Storage) -> None:
    """The update again after a cut; a part that a cut spoiled costs a second try."""
    for _ in release_of(bundle_dir).contents:
        try:
            return update(root, bundle_dir, disk)
        except OtaError:
            continue
    return update(root, bundle_dir, disk)


def begin_trial(root: Path, name: str, disk: Storage) -> None:
    """The durable attempt counter, as the state machine writes it before a switch."""
    current = Generations(root).current()
    state = {"trial": name, "left": ATTEMPTS, "previous": current.name if current else None}
    replace_file(disk, root / STATE, json.dumps(state).encode())


def violation(root: Path, allowed: set[str]) -> str | None:
    """What must never be found after a cut; None where all is well.

    Args:
        allowed: digests of the bundles that may be current.
    """
    current = Generations(root).current()
    if current is None:
        return "nothing is current"
    try:
        digest = Bundle.open(current).digest
    except BundleError as error:
        return f"current is damaged: {error.problem}"
    if digest not in allowed:
        return "another bundle is current"
    state = _state(root)
    if current.name[:6] == "000001":
        return None  # the first one was installed, not tried
    if state is None or state["left"] != ATTEMPTS:
        return "switched without a durable counter"
    if current.name not in (state["trial"], state["previous"]):
        return "switched to another generation than the counter is for"
    return _way_back_is_whole(root, state["previous"])


def _state(root: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((root / STATE).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return found


def _way_back_is_whole(root: Path, name: str | None) -> str | None:
    if name is None:
        return None
    try:
        Bundle.open(root / "gen" / name)
    except BundleError as error:
        return f"the generation to go back to is damaged: {error.problem}"
    return None


def main() -> None:
    kills, seed = int(sys.argv[1]), int(sys.argv[2])
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place, "models")
        bundles = [write_bundle(Path(place, m), m, padding=2**18) for m in "ab"]
        allowed = {Bundle.open(path).digest for path in bundles}
        Generations(root).install(bundles[0])
        began = time.monotonic()
        for bundle_dir in (bundles[1], bundles[0]):
            retried(root, bundle_dir, Disk())
        cycle = 1.1 * (time.monotonic() - began)
        found = [v for _ in range(kills) if (v := _killed(root, bundles, allowed, rng, cycle))]
        for bundle_dir in bundles:  # and it still works
            retried(root, bundle_dir, Disk())
        left = sorted(str(p.relative_to(root)) for p in root.rglob(".*") if p.name != ".lock")
    print(json.dumps({"kills": kills, "violations": found, "left": left}))


def _killed(
    root: Path, bundles: list[Path], allowed: set[str], rng: random.Random, cycle: float
) -> str | None:
    child = os.fork()
    if child == 0:
        while True:
            for bundle_dir in bundles:
                retried(root, bundle_dir, Disk())
    time.sleep(rng.uniform(0, cycle))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return violation(root, allowed)


if __name__ == "__main__":
    main()
