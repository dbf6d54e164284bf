"""Releases that come on a stick: believed no more than the network, and needing none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ota.errors import Reason
from ota.machine import Ledger, Outcome, Result, Stage, begin, step
from ota.repository.export import export_release
from ota.rollout.source import Assignment
from services.cli import main
from services.ota_agent.agent import Wish
from services.ota_agent.taking import by_owner
from tests.support.opened_box import OpenedBox, Published
from tests.support.terminal import settings_file

AWAY = "http://127.0.0.1:1"
"""A repository that cannot be reached."""


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return Published(tmp_path, delta_of="0" * 64)


@pytest.fixture(params=["stick", "stick.tar"])
def stick(request: pytest.FixtureRequest, published: Published, tmp_path: Path) -> Path:
    path = tmp_path / str(request.param)
    export_release(published.shelf, published.release.target, path)
    return path


def test_a_device_whose_repository_is_a_stick_updates_itself(
    tmp_path: Path, published: Published, stick: Path
) -> None:
    box = OpenedBox(tmp_path, published, repository=f"file://{stick}")
    assert box.until_it_ends().stage is Stage.COMMITTED


def test_an_owner_installs_from_a_stick_where_there_is_no_network(
    tmp_path: Path, published: Published, stick: Path
) -> None:
    box = OpenedBox(tmp_path, published, repository=AWAY, whole_files_after_delta=False)
    config = settings_file(tmp_path, ota={"socket": box.settings.ota.socket})
    command = ["ota", "install", "--from", str(stick), "--json", "--config", str(config)]

    def committed(ledger: Ledger) -> bool:
        return ledger.update is not None and ledger.update.stage is Stage.COMMITTED

    ledger = box.run(
        lambda agent, ledger: committed(ledger),
        begin=lambda: main(command),
    )
    assert ledger.running == published.release.target
    assert box.voice.serving.startswith("000002-")


def test_a_stick_of_strangers_changes_nothing(tmp_path: Path, published: Published) -> None:
    strangers = Published(tmp_path / "strangers")
    box = OpenedBox(tmp_path, published, repository=AWAY)
    wish = Wish("install", "2.0", str(strangers.shelf.public))
    end = box.until_it_ends(wish)
    assert (end.stage, end.reason) == (Stage.FAILED, Reason.UNTRUSTED)


@pytest.mark.parametrize("kind", ["nothing", "pipe", "device"])
def test_what_is_no_stick_is_told_and_holds_nobody(
    tmp_path: Path, published: Published, kind: str
) -> None:
    path = Path("/dev/zero") if kind == "device" else tmp_path / "stick.tar"
    if kind == "pipe":
        os.mkfifo(path)
    box = OpenedBox(tmp_path, published, repository=AWAY)
    ledger = box.run(
        lambda agent, ledger: str(path) in agent.undone, Wish("install", "", str(path))
    )
    assert ledger.update is None


def test_a_stick_takes_the_place_of_a_download_that_does_not_come_on() -> None:
    waves = Assignment("waves-1", "models/pc/2.0/release.json")
    ledger = step(begin(Ledger(), waves), Result(Outcome.DONE))
    brought = Assignment("owner-1", waves.target, "now", forced=True, stick="/media/stick")
    found = by_owner(ledger, brought).update
    assert found is not None
    assert (found.action, found.stick, found.stage) == ("owner-1", "/media/stick", Stage.ASSIGNED)
    again = by_owner(by_owner(ledger, brought), brought).update
    assert again == found
