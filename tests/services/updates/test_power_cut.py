"""Power is cut anywhere between the gate and the soak, on real generations and the real journal."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.bundle import Bundle
from ota.generations import Generations
from ota.journal import Journal
from ota.machine import MAY_SERVE, TRIES, Ledger, Outcome, Result, Stage, begin, step
from ota.rollout.source import Assignment
from services.updates.preflight import preflight
from tests.support.crash_disk import CrashDisk, every_cut
from tests.support.tiny_bundle import write_bundle
from tests.support.tiny_release import put

WANTED = Assignment("one", "models/pc-x86-64/1.1/release.json")


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in memory where that can be: no real power is cut."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as path:
        yield Path(path)


@pytest.fixture
def bundles(memory: Path) -> list[Path]:
    return [write_bundle(memory / f"bundle-{name}", name) for name in ("old", "new")]


def name_of(number: int, bundle: Path) -> str:
    return f"{number:06d}-{Bundle.open(bundle).digest[:12]}"


def proving(old: str, new: str) -> Ledger:
    ledger = begin(Ledger(), WANTED)
    known = {"release": "1.1", "counter": 1, "generation": new, "previous": old}
    while ledger.update is not None and ledger.update.stage is not Stage.PROVING:
        ledger = step(ledger, Result(Outcome.DONE, learnt=known))
    return ledger


def test_wherever_it_is_cut_a_whole_bundle_serves_and_the_way_back_is_counted(
    memory: Path, bundles: list[Path]
) -> None:
    old, new = name_of(1, bundles[0]), name_of(2, bundles[1])

    def prepare(disk: CrashDisk) -> None:
        generations = Generations(disk.root / "models", disk)
        generations.install(bundles[0])
        generations.stage(put(generations.store, bundles[1]))
        Journal(disk.root / "ota", disk).change(lambda _: proving(old, new))

    def story(disk: CrashDisk) -> None:
        journal = Journal(disk.root / "ota", disk)
        journal.change(lambda ledger: step(ledger, Result(Outcome.DONE)))
        Generations(disk.root / "models", disk).switch(new)
        journal.change(lambda ledger: step(ledger, Result(Outcome.DONE)))

    served = set()
    for tree in every_cut(story, prepare, _made(memory / "trees")):
        generations, journal = Generations(tree / "models"), Journal(tree / "ota")
        current = generations.current()
        assert current is not None
        Bundle.open(current)
        served.add(current.name)
        update = journal.read().active
        assert update is not None
        if current.name == new:
            assert update.stage in MAY_SERVE
        for _ in range(TRIES):  # and now it never starts
            preflight(journal, generations)
        back = generations.current()
        assert back is not None
        assert back.name == old
        Bundle.open(back)
    assert served == {old, new}


def test_a_way_back_that_is_cut_is_gone_again(memory: Path, bundles: list[Path]) -> None:
    old, new = name_of(1, bundles[0]), name_of(2, bundles[1])

    def prepare(disk: CrashDisk) -> None:
        generations = Generations(disk.root / "models", disk)
        generations.install(bundles[0])
        generations.stage(put(generations.store, bundles[1]))
        ledger = proving(old, new)
        for _ in range(2):
            ledger = step(ledger, Result(Outcome.DONE))
        Journal(disk.root / "ota", disk).change(lambda _: ledger)
        generations.switch(new)

    def story(disk: CrashDisk) -> None:
        generations = Generations(disk.root / "models", disk)
        preflight(Journal(disk.root / "ota", disk), generations, give_up=True)

    for tree in every_cut(story, prepare, _made(memory / "trees")):
        generations, journal = Generations(tree / "models"), Journal(tree / "ota")
        for _ in range(TRIES + 1):
            preflight(journal, generations)
        current = generations.current()
        assert current is not None
        assert current.name == old
        Bundle.open(current)


def _made(path: Path) -> Path:
    path.mkdir()
    return path
