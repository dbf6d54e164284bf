"""Power is cut in every operation of a whole update, and a real one is killed at random."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device.bundle import Bundle
from ota.generations import Generations
from ota.storage import Disk, Storage
from tests.support.crash_disk import CrashDisk, every_cut
from tests.support.in_memory import memory_directory
from tests.support.tiny_bundle import write_bundle
from tests.support.tiny_release import put
from tests.support.update_story import begin_trial, retried, update, violation

ROOT = Path(__file__).parents[2]
KILLS = 200


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with memory_directory() as path:
        yield path


@pytest.fixture
def bundles(tmp_path: Path) -> list[Path]:
    return [write_bundle(tmp_path / f"bundle-{name}", name) for name in ("a", "b", "c")]


def digests(bundles: list[Path]) -> set[str]:
    return {Bundle.open(path).digest for path in bundles}


@pytest.mark.parametrize("held", [1, 2])
def test_every_cut_of_an_update_leaves_one_good_generation_and_its_counter(
    held: int, bundles: list[Path], tmp_path: Path
) -> None:
    new = bundles[held]

    def prepare(disk: CrashDisk) -> None:
        Generations(disk.root, disk).install(bundles[0])
        for earlier in bundles[1:held]:
            update(disk.root, earlier, disk)

    seen = set()
    for count, root in enumerate(every_cut(lambda d: update(d.root, new, d), prepare, tmp_path)):
        assert violation(root, digests([bundles[held - 1], new])) is None
        seen.add(Generations(root).current())
        if count % 7 == 0:  # going on from there costs as much as the story itself
            goes_on(root, new)
    assert len({path.name for path in seen if path}) == 2


def goes_on(root: Path, new: Path) -> None:
    """The next attempt finds its way, and leaves nothing lying about."""
    retried(root, new, Disk())
    assert violation(root, digests([new])) is None
    assert not list((root / "gen").glob(".*"))
    assert not list((root / "store").glob(".*"))
    held = {p.read_bytes() for p in (root / "gen").rglob("*") if p.is_file()}
    assert {p.read_bytes() for p in (root / "store").iterdir() if len(p.name) == 64} == held


Story = Callable[[CrashDisk], object]


def found(story: Story, bundles: list[Path], tmp_path: Path, **lies: bool) -> set[str]:
    def prepare(disk: CrashDisk) -> None:
        Generations(disk.root, disk).install(bundles[0])

    allowed = digests(bundles)
    trees = every_cut(story, prepare, tmp_path, **lies)
    return {v.split(":")[0] for root in trees if (v := violation(root, allowed))}


def test_a_disk_that_does_not_sync_files_is_caught(bundles: list[Path], tmp_path: Path) -> None:
    violations = found(
        lambda disk: update(disk.root, bundles[1], disk), bundles, tmp_path, lying_files=True
    )
    assert "current is damaged" in violations


def test_a_switch_before_the_counter_is_caught(bundles: list[Path], tmp_path: Path) -> None:
    def hasty(disk: Storage, root: Path) -> None:
        generations = Generations(root, disk)
        staged = generations.stage(put(generations.store, bundles[1]))
        generations.switch(staged.name)
        begin_trial(root, staged.name, disk)

    violations = found(lambda disk: hasty(disk, disk.root), bundles, tmp_path)
    assert violations == {"switched without a durable counter"}


@pytest.mark.slow
def test_two_hundred_kills_of_a_real_updater_leave_one_good_generation_each() -> None:
    seed = random.randrange(10**6)
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.update_story", str(KILLS), str(seed)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert json.loads(done.stdout) == {"kills": KILLS, "violations": [], "left": []}, seed
