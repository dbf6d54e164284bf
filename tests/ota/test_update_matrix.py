"""Every stage × {error, kill, hang}, on the real journal over a disk that loses power.

Whatever happens where, an update ends as committed, rolled back or failed, with a reason, and what
serves in the end is what the end says.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from ota.errors import Reason, StoreError
from ota.journal import NAME, Journal
from ota.machine import (
    IN_TRIAL,
    MAY_SERVE,
    MOST_STORES,
    TRIES,
    WORK,
    Effect,
    Ledger,
    Outcome,
    Result,
    Stage,
    Update,
    about_to_load,
    begin,
    step,
)
from ota.rollout.source import Assignment
from services.ota_agent.driver import Driver
from tests.support.crash_disk import CrashDisk, every_cut

OLD, NEW = "000001-old", "000002-new"
WANTED = Assignment("one", "models/pc/2.0/release.json")
Fault = Literal["error", "kill", "hang"]
STAGE_OF = {work.effect: stage for stage, work in WORK.items()}


class Killed(Exception):
    """The agent's process ends here."""


@dataclass
class World:
    """One box: which generation ``current`` names, and the trouble that waits in one stage."""

    trouble: Stage | None = None
    fault: Fault = "error"
    times: int = 1
    """How often the trouble strikes."""
    current: str = OLD
    seen: list[Stage] = field(default_factory=list)


class Agent:
    """A worker that does each effect at once in this world, or as the trouble wants it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._result: Result | None = None

    def start(self, effect: Effect, update: Update) -> None:
        stage = STAGE_OF[effect]
        assert stage is update.stage
        self.world.seen.append(stage)
        if stage is self.world.trouble and self.world.times > 0:
            self.world.times -= 1
            if self.world.fault == "kill":
                raise Killed
            failed = Result(Outcome.FAILED, Reason.DISK, "trouble")
            self._result = failed if self.world.fault == "error" else None
            return
        if effect is Effect.SWITCH:
            self.world.current = NEW
        if effect is Effect.GO_BACK:
            self.world.current = OLD
        self._result = Result(Outcome.DONE, learnt={"generation": NEW, "previous": OLD})

    def poll(self) -> Result | None:
        return self._result

    def abandon(self) -> None:
        self._result = None


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in memory where that can be: no real power is cut."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as path:
        yield Path(path)


def live(journal: Journal, world: World) -> Ledger:
    """Run an agent, again after each death, until its update has ended."""
    hours = itertools.count(step=3600.0)
    for _ in range(3 * MOST_STORES):
        driver = Driver(journal, Agent(world), lambda: next(hours))
        try:
            ledger = driver.resume() if world.seen else journal.change(lambda _: _begun())
            while ledger.active is not None:
                ledger = driver.tick()
            return ledger
        except Killed:
            continue
    raise AssertionError("it never ended")


def _begun() -> Ledger:
    return begin(Ledger(), WANTED)


def check(ledger: Ledger, world: World) -> Stage:
    update = ledger.update
    assert update is not None
    assert update.ended
    assert len(ledger.unsent) == 1
    if update.stage is Stage.COMMITTED:
        assert world.current == NEW
    else:
        assert update.reason is not None
        assert update.detail
        assert world.current == OLD
    return update.stage


@pytest.mark.parametrize("fault", ["error", "kill", "hang"])
@pytest.mark.parametrize("stage", sorted(WORK))
def test_trouble_once(stage: Stage, fault: Fault, tmp_path: Path) -> None:
    first = Stage.SOAKING if stage is Stage.GOING_BACK else None
    world = World(stage, fault)
    journal = Journal(tmp_path)
    if first is not None:
        journal.change(lambda _: _in_stage(Stage.GOING_BACK))
        world.seen, world.current = [first], NEW
    end = check(live(journal, world), world)
    assert stage in world.seen
    if stage is Stage.GOING_BACK:
        assert end is Stage.ROLLED_BACK  # by a second attempt
    elif fault == "kill":
        assert end is Stage.COMMITTED  # whoever came after went on
    else:
        assert end is (Stage.ROLLED_BACK if stage in IN_TRIAL else Stage.FAILED)


@pytest.mark.parametrize("stage", sorted(set(WORK) - {Stage.GOING_BACK}))
def test_death_every_time_is_broken_out_of(stage: Stage, tmp_path: Path) -> None:
    world = World(stage, "kill", times=1000)
    ledger = live(Journal(tmp_path), world)
    end = check(ledger, world)
    assert end is (Stage.ROLLED_BACK if stage in IN_TRIAL else Stage.FAILED)
    expected = Reason.CRASH if stage is Stage.PROVING else Reason.LOOP
    assert ledger.unsent[0].reason is expected
    assert world.seen.count(stage) <= (TRIES if stage is Stage.PROVING else MOST_STORES + 1)


def test_a_way_back_that_never_works_ends_too_and_keeps_the_first_reason(tmp_path: Path) -> None:
    world = World(Stage.GOING_BACK, "error", times=1000, seen=[Stage.SOAKING], current=NEW)
    journal = Journal(tmp_path)
    journal.change(lambda _: _in_stage(Stage.GOING_BACK))
    ledger = live(journal, world)
    assert ledger.update is not None
    assert ledger.update.stage is Stage.FAILED
    assert ledger.update.reason is Reason.SOAK


def _in_stage(stage: Stage) -> Ledger:
    ledger = _begun()
    while ledger.update is not None and ledger.update.stage is not Stage.SOAKING:
        ledger = step(ledger, Result(Outcome.DONE, learnt={"generation": NEW, "previous": OLD}))
    if stage is Stage.GOING_BACK:
        ledger = step(ledger, Result(Outcome.FAILED, Reason.SOAK, "turns failed"))
    return ledger


def test_power_cut_in_every_store_leaves_the_ledger_before_or_after(memory: Path) -> None:
    """Each transition of a whole update, cut at each operation, with each loss it may cause."""
    states = [_begun()]
    while states[-1].active is not None:
        states.append(step(states[-1], Result(Outcome.DONE, learnt={"generation": NEW})))
    trees = 0
    for number, (before, after) in enumerate(itertools.pairwise(states)):
        for tree in every_cut(_stores(after), _stores(before), _made(memory / str(number))):
            trees += 1
            assert Journal(tree / "ota").read() in (before, after)
    assert trees > 50


def test_the_switch_never_comes_before_a_durable_count(memory: Path) -> None:
    """Cut anywhere between the gate and the soak: where ``current`` is new, the tries are known."""

    def prepare(disk: CrashDisk) -> None:
        _point(disk, OLD)
        _stores(_upto(Stage.PROVING))(disk)

    def story(disk: CrashDisk) -> None:
        journal = Journal(disk.root / "ota", disk)
        journal.change(lambda ledger: step(ledger, Result(Outcome.DONE)))
        _point(disk, NEW)  # the effect of SWITCHING
        journal.change(lambda ledger: step(ledger, Result(Outcome.DONE)))

    seen = set()
    for tree in every_cut(story, prepare, memory):
        ledger, current = Journal(tree / "ota").read(), os.readlink(tree / "current")
        assert ledger.active is not None
        seen.add((ledger.active.stage, current))
        if current == NEW:
            assert ledger.active.stage in MAY_SERVE
            spent = about_to_load(ledger, NEW).active
            assert spent is not None
            assert spent.tries_left == ledger.active.tries_left - 1
    assert {stage for stage, _ in seen} == {Stage.PROVING, Stage.SWITCHING, Stage.SOAKING}
    assert {current for _, current in seen} == {OLD, NEW}


def test_the_first_store_of_all_is_durable_with_its_directory(memory: Path) -> None:
    """A disk on which the journal's directory has yet to be made."""

    def story(disk: CrashDisk) -> None:
        _stores(_upto(Stage.SOAKING))(disk)
        _point(disk, NEW)

    for tree in every_cut(story, lambda disk: _point(disk, OLD), memory):
        if os.readlink(tree / "current") == NEW:
            assert Journal(tree / "ota").read() == _upto(Stage.SOAKING)


def _upto(stage: Stage) -> Ledger:
    ledger = _begun()
    while ledger.update is not None and ledger.update.stage is not stage:
        ledger = step(ledger, Result(Outcome.DONE, learnt={"generation": NEW, "previous": OLD}))
    return ledger


def _stores(ledger: Ledger) -> Callable[[CrashDisk], object]:
    return lambda disk: Journal(disk.root / "ota", disk).change(lambda _: ledger)


def _point(disk: CrashDisk, name: str) -> None:
    disk.link(name, disk.root / ".draft")
    disk.rename(disk.root / ".draft", disk.root / "current")
    disk.sync_directory(disk.root)


def _made(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_damaged_journal_starts_empty_and_is_written_over(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text('{"format": 1, "update": {"action": 5}}')
    journal = Journal(tmp_path)
    assert journal.read() == Ledger()
    journal.change(lambda ledger: begin(ledger, WANTED))
    assert journal.read().active is not None


def test_a_disk_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="file"):
        Journal(tmp_path / "file").change(lambda ledger: begin(ledger, WANTED))
