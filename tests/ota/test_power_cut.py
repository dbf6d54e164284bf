"""Power is cut in every operation of an install and a roll-back, with every loss it may cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device.bundle import Bundle
from device.errors import BundleError
from ota.generations import Generations
from tests.support.crash_disk import CrashDisk, every_cut
from tests.support.in_memory import memory_directory
from tests.support.tiny_bundle import write_bundle
from tests.support.tiny_release import put

Action = Callable[[Generations, Path], object]


def install(generations: Generations, bundle: Path) -> object:
    return generations.install(bundle)


def rollback(generations: Generations, bundle: Path) -> object:
    return generations.rollback()


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with memory_directory() as path:
        yield path


@pytest.fixture
def bundles(tmp_path: Path) -> list[Path]:
    return [write_bundle(tmp_path / f"bundle-{name}", name) for name in ("a", "b", "c")]


def cuts(
    action: Action, before: list[Path], bundle: Path, tmp_path: Path, *, lying: bool = False
) -> Iterator[Path]:
    """Every tree that a cut anywhere in ``action`` may leave."""

    def prepare(disk: CrashDisk) -> None:
        for earlier in before:
            Generations(disk.root, disk).install(earlier)

    def story(disk: CrashDisk) -> object:
        return action(Generations(disk.root, disk), bundle)

    return every_cut(story, prepare, tmp_path, lying=lying)


def current_digest(root: Path) -> str | None:
    current = Generations(root).current()
    return Bundle.open(current).digest if current else None


@pytest.mark.parametrize(
    ("action", "held"),
    [(install, 0), (install, 1), (install, 2), (rollback, 2)],
    ids=["first install", "second install", "third install", "roll-back"],
)
def test_a_whole_bundle_is_always_current(
    action: Action, held: int, bundles: list[Path], tmp_path: Path
) -> None:
    before, new = bundles[:held], bundles[held % 3]
    digests = [Bundle.open(path).digest for path in bundles]
    allowed: set[str | None] = {digests[held - 1] if held else None, digests[held % 3]}
    if action is rollback:
        allowed = {digests[0], digests[1]}
    seen = set()
    for root in cuts(action, before, new, tmp_path):
        found = current_digest(root)
        assert found in allowed
        seen.add(found)
        # The next attempt finds its way from here.
        Generations(root).install(new)
        assert current_digest(root) == Bundle.open(new).digest
        assert not list((root / "gen").glob(".draft-*"))
    assert seen == allowed


def test_what_a_switch_leaves_behind_can_be_gone_back_to(
    bundles: list[Path], tmp_path: Path
) -> None:
    old, new = bundles[:2]
    for root in cuts(install, [old], new, tmp_path):
        if current_digest(root) == Bundle.open(new).digest:
            Generations(root).rollback()
            assert current_digest(root) == Bundle.open(old).digest


def test_a_switch_that_was_cut_and_is_done_again_leaves_nothing_staged(
    bundles: list[Path], tmp_path: Path
) -> None:
    """Else the link would keep a generation for good, and from being gone back to."""
    names: list[str] = []

    def prepare(disk: CrashDisk) -> None:
        generations = Generations(disk.root, disk)
        generations.install(bundles[0])
        names.append(generations.stage(put(generations.store, bundles[1])).name)

    def switch(disk: CrashDisk) -> object:
        return Generations(disk.root, disk).switch(names[-1])

    for root in every_cut(switch, prepare, tmp_path):
        generations = Generations(root)
        assert generations.switch(names[-1]).current
        assert not (root / "staged").is_symlink()
        generations.install(bundles[2])
        assert generations.rollback().name == names[-1]


def test_the_harness_notices_missing_syncs(bundles: list[Path], tmp_path: Path) -> None:
    def fails(root: Path) -> bool:
        try:
            return current_digest(root) is None
        except BundleError:
            return True

    assert any(fails(root) for root in cuts(install, bundles[:1], bundles[1], tmp_path, lying=True))
