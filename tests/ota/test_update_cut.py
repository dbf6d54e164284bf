"""Power is cut in every operation of a whole update by the real agent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device.bundle import Bundle
from ota.generations import Generations
from ota.journal import Journal
from ota.machine import Outcome, Result, Stage, begin, step
from ota.rollout.source import Assignment
from tests.support.crash_disk import CrashDisk, every_cut
from tests.support.in_memory import memory_directory
from tests.support.tiny_bundle import write_bundle
from tests.support.tiny_release import put
from tests.support.update_story import litter, update, violation
from tests.support.updated_box import UpdatedBox

Story = Callable[[CrashDisk], object]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with memory_directory() as path:
        yield path


class Bench:
    """A repository with one release, and the bundles that a device had before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.box = UpdatedBox(folder / "first")
        self.target = self.box.publish("new", 1)
        self.held = [write_bundle(folder / f"bundle-{name}", name) for name in ("a", "b")]
        self.new = folder / "first" / "bundle-new"

    def installed(self, count: int) -> Callable[[CrashDisk], None]:
        """What happened before: so many bundles were installed, the last one serves."""

        def prepare(disk: CrashDisk) -> None:
            for bundle in self.held[:count]:
                Generations(disk.root / "models", disk).install(bundle)

        return prepare

    def digests(self, count: int) -> set[str]:
        return {Bundle.open(path).digest for path in self.held[:count]}

    @property
    def digest(self) -> str:
        return Bundle.open(self.new).digest

    def violations(self, story: Story, **lies: bool) -> set[str]:
        before = self.digests(1)
        trees = every_cut(story, self.installed(1), self.folder, **lies)
        found = (violation(root, before | {self.digest}, before) for root in trees)
        return {one.split(":")[0] for one in found if one}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(("held", "good"), [(1, True), (2, True), (1, False)])
def test_every_cut_of_an_update_leaves_one_good_generation_and_what_the_ledger_says_of_it(
    held: int, good: bool, bench: Bench, tmp_path: Path
) -> None:
    before = {Bundle.open(bench.held[held - 1]).digest}
    seen, ends = set(), set()

    def story(disk: CrashDisk) -> None:
        update(disk.root, disk, bench.box, bench.target, good=good)

    for count, root in enumerate(every_cut(story, bench.installed(held), tmp_path)):
        assert violation(root, before | {bench.digest}, before) is None
        seen.add(Generations(root / "models").current())
        if count % 7 == 0:  # going on from there costs as much as the story itself
            ends.add(goes_on(root, bench, good=good))
            assert violation(root, before | {bench.digest}, before) is None
            assert litter(root) == []
    assert len({path.name for path in seen if path}) == 2
    assert ends == {Stage.COMMITTED if good else Stage.ROLLED_BACK}


def goes_on(root: Path, bench: Bench, *, good: bool) -> Stage:
    """Where the updater comes to, after the cut."""
    found = Journal(root / "ota").read().update
    cut_at_last = found is not None and found.ended
    ledger = update(root, None, bench.box, bench.target, good=good)
    if cut_at_last:
        Generations(root / "models").collect()  # as the end of the next update does
    assert ledger.update is not None
    return ledger.update.stage


def test_a_disk_that_does_not_sync_files_is_caught(bench: Bench) -> None:
    def story(disk: CrashDisk) -> None:
        update(disk.root, disk, bench.box, bench.target)

    assert "current is damaged" in bench.violations(story, lying_files=True)


def test_a_switch_before_the_ledger_knows_is_caught(bench: Bench) -> None:
    def hasty(disk: CrashDisk) -> None:
        generations = Generations(disk.root / "models", disk)
        staged = generations.stage(put(generations.store, bench.new))
        generations.switch(staged.name)
        journal, known = Journal(disk.root / "ota", disk), {"generation": staged.name}
        journal.change(lambda now: begin(now, Assignment("one", bench.target)))
        journal.change(lambda now: step(now, Result(Outcome.DONE, learnt=known)))

    assert bench.violations(hasty) == {"switched without a ledger", "switched too early"}
