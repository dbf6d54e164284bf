"""Small files survive a power cut at any step."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from pydantic import BaseModel

from ota.storage import Disk
from services.state_file import StateFile, state_directory


class Level(BaseModel):
    level: int


class LosingPower(Exception):
    """Stands for the moment of the cut; nothing here may handle it."""


class CutDisk(Disk):
    """Loses power before the given operation."""

    def __init__(self, before: str) -> None:
        self.before, self.done = before, []
        """The operations that were carried out, in order."""

    def rename(self, source: Path, target: Path) -> None:
        self._step("rename")
        super().rename(source, target)

    def sync_directory(self, path: Path) -> None:
        self._step("sync_directory")
        super().sync_directory(path)

    def _step(self, name: str) -> None:
        if name == self.before:
            raise LosingPower
        self.done.append(name)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "level.json", Level)
    assert file.load() is None
    assert file.save(Level(level=3))
    assert file.save(Level(level=4))
    assert file.load() == Level(level=4)


@pytest.mark.parametrize(("before", "left"), [("rename", 1), ("sync_directory", 2)])
def test_a_cut_leaves_the_old_state_or_the_new(tmp_path: Path, before: str, left: int) -> None:
    path = tmp_path / "level.json"
    StateFile(path, Level).save(Level(level=1))
    with pytest.raises(LosingPower):
        StateFile(path, Level, CutDisk(before)).save(Level(level=2))
    assert StateFile(path, Level).load() == Level(level=left)
    assert StateFile(path, Level).save(Level(level=3)), "what the cut left is no obstacle"
    assert StateFile(path, Level).load() == Level(level=3)


def test_the_name_is_synced_after_the_rename(tmp_path: Path) -> None:
    disk = CutDisk(before="never")
    StateFile(tmp_path / "level.json", Level, disk).save(Level(level=1))
    assert disk.done == ["rename", "sync_directory"]


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "level.json.new").symlink_to(victim)
    assert not StateFile(tmp_path / "level.json", Level).save(Level(level=1))
    assert victim.read_text() == "precious"


def test_a_directory_in_the_way_is_said_and_survived(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "level.json").mkdir()
    with caplog.at_level(logging.ERROR):
        assert StateFile(tmp_path / "level.json", Level).load() is None
    assert [r.message for r in caplog.records] == ["state cannot be read"]


def test_the_state_directory_is_the_one_systemd_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/linnet/voice:/var/lib/other")
    assert state_directory() == Path("/var/lib/linnet/voice")
    monkeypatch.delenv("STATE_DIRECTORY")
    assert state_directory() is None
