"""Starts of the voice daemon, counted by real files: three on trial, then back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ota.errors import Reason
from ota.generations import GenerationError, Generations
from ota.journal import Journal
from ota.machine import TRIES, Ledger, Outcome, Result, Stage, begin, step
from ota.rollout.source import Assignment
from services.exit_codes import ExitCode
from services.updates.preflight import preflight
from tests.support.terminal import linnet, settings_file
from tests.support.tiny_bundle import write_bundle
from tests.support.tiny_release import put


@dataclass
class Box:
    journal: Journal
    generations: Generations
    old: str
    new: str

    @property
    def current(self) -> str:
        found = self.generations.current()
        return found.name if found else ""

    @property
    def stage(self) -> Stage:
        update = self.journal.read().update
        assert update is not None
        return update.stage

    def advance(self, to: Stage) -> None:
        known = {"release": "1.1", "counter": 1, "generation": self.new, "previous": self.old}
        while self.stage is not to:
            self.journal.change(lambda ledger: step(ledger, Result(Outcome.DONE, learnt=known)))
            if self.stage is Stage.SOAKING:
                self.generations.switch(self.new)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """One generation serves, another is staged."""
    generations, journal = Generations(tmp_path / "models"), Journal(tmp_path / "ota")
    old = generations.install(write_bundle(tmp_path / "old", "old"))
    new = generations.stage(put(generations.store, write_bundle(tmp_path / "new", "new")))
    wanted = Assignment("one", "models/pc-x86-64/1.1/release.json")
    journal.change(lambda ledger: begin(ledger, wanted))
    return Box(journal, generations, old.name, new.name)


def test_three_starts_on_trial_then_the_one_before(box: Box) -> None:
    box.advance(Stage.SOAKING)
    told = [preflight(box.journal, box.generations) for _ in range(TRIES)]
    assert told[:-1] == [f"1.1 is on trial; {n} more tries" for n in range(TRIES - 2, -1, -1)]
    assert box.current == box.old
    assert box.stage is Stage.ROLLED_BACK
    report = box.journal.read().unsent[-1]
    assert report.reason is Reason.CRASH
    assert preflight(box.journal, box.generations) is None
    assert box.current == box.old


@pytest.mark.parametrize("stage", [Stage.DOWNLOADING, Stage.PROVING, Stage.COMMITTED])
def test_other_starts_are_free(box: Box, stage: Stage) -> None:
    if stage is Stage.COMMITTED:
        box.advance(Stage.SOAKING)
    box.advance(stage)
    before, current = box.journal.read(), box.current
    for _ in range(10):
        assert preflight(box.journal, box.generations) is None
    assert (box.journal.read(), box.current) == (before, current)


def test_where_nothing_was_ever_updated_nothing_is_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "ota")
    assert preflight(journal, Generations(tmp_path / "models")) is None
    assert not (tmp_path / "ota").exists()


def test_what_cannot_be_started_at_all_is_given_up_at_once(box: Box) -> None:
    box.advance(Stage.SOAKING)
    told = preflight(box.journal, box.generations, give_up=True)
    assert told == "1.1 did not start; went back to the release before"
    assert (box.current, box.stage) == (box.old, Stage.ROLLED_BACK)


def test_a_way_back_that_is_gone_leaves_the_stage_for_the_next_try(box: Box) -> None:
    box.advance(Stage.SOAKING)
    (box.generations.root / "gen" / box.old / "manifest.json").unlink()
    with pytest.raises(GenerationError):
        preflight(box.journal, box.generations, give_up=True)
    assert box.stage is Stage.GOING_BACK
    assert box.current == box.new


class Overtaken(Journal):
    """The updater stores something just before the n-th change here."""

    def __init__(self, folder: Path, before: int, updater: Callable[[], object]) -> None:
        super().__init__(folder)
        self._before, self._updater = before, updater

    def change(self, decide: Callable[[Ledger], Ledger]) -> Ledger:
        self._before -= 1
        if self._before == 0:
            self._updater()
        return super().change(decide)


def test_what_the_updater_commits_meanwhile_stays(box: Box) -> None:
    box.advance(Stage.SOAKING)
    journal = Overtaken(box.journal.folder, 2, lambda: box.advance(Stage.COMMITTED))
    assert preflight(journal, box.generations, give_up=True) is None
    assert (box.current, box.stage) == (box.new, Stage.COMMITTED)


def test_what_the_updater_begins_meanwhile_is_judged_as_ever(box: Box) -> None:
    def end_and_begin_another() -> None:
        box.advance(Stage.ROLLED_BACK)  # it has been going back as well
        another = Assignment("two", "models/pc-x86-64/1.2/release.json")
        box.journal.change(lambda ledger: begin(ledger, another))

    box.advance(Stage.SOAKING)
    journal = Overtaken(box.journal.folder, 3, end_and_begin_another)
    preflight(journal, box.generations, give_up=True)
    assert (box.current, box.stage) == (box.old, Stage.ASSIGNED)


def test_what_the_updater_moves_on_meanwhile_is_given_up_all_the_same(box: Box) -> None:
    box.advance(Stage.SWITCHING)
    box.generations.switch(box.new)
    journal = Overtaken(box.journal.folder, 2, lambda: box.advance(Stage.SOAKING))
    assert preflight(journal, box.generations, give_up=True) is not None
    assert (box.current, box.stage) == (box.old, Stage.ROLLED_BACK)


def test_the_command_tells_systemd_whether_anything_was_given_up(tmp_path: Path, box: Box) -> None:
    config = settings_file(
        tmp_path,
        model={"generations": box.generations.root},
        ota={"directory": tmp_path / "ota"},
    )
    box.advance(Stage.SOAKING)
    codes = [
        linnet("ota", "preflight", "--give-up", "--config", config, cwd=tmp_path).returncode
        for _ in range(2)
    ]
    assert codes == [ExitCode.OK, ExitCode.CHECK_FAILED]
    assert box.current == box.old
