"""``linnet ota status`` as an owner reads it, with and without the daemons."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from ota.journal import Journal
from ota.machine import Ledger, Outcome, Result, begin, step
from ota.rollout.source import Assignment
from services.local_socket import SocketServer
from services.updates import status
from services.voice.trial.words import VoiceState
from tests.support.terminal import settings_file


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Updates are switched on; nobody answers."""
    return settings_file(
        tmp_path,
        model={"generations": tmp_path / "models"},
        ota={
            "directory": tmp_path / "ota",
            "socket": tmp_path / "ota.sock",
            "voice_socket": tmp_path / "voice.sock",
            "repository": "https://updates.example",
        },
    )


def said(config: Path, capsys: pytest.CaptureFixture[str], *, as_json: bool = False) -> str:
    assert status.run(argparse.Namespace(config=config, json=as_json)) == 0
    return capsys.readouterr().out


def test_a_release_on_its_last_try_is_said_to_be(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = begin(Ledger(), Assignment("one", "models/pc-x86-64/1.1/release.json"))
    for _ in range(5):
        ledger = step(ledger, Result(Outcome.DONE))
    for _ in range(2):
        ledger = step(ledger, Result(Outcome.KILLED))
    Journal(tmp_path / "ota").change(lambda _: ledger)
    lines = said(config, capsys).splitlines()
    assert "tries left: 0" in lines
    assert "stage: proving" in lines
    assert not any(line.startswith(("reason", "rejected", "safe mode")) for line in lines)


def test_safe_mode_is_told_by_the_voice_daemon(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    says = VoiceState(safe_mode=True).model_dump(mode="json")
    assert json.loads(said(config, capsys, as_json=True))["safe_mode"] is None
    server = SocketServer(tmp_path / "voice.sock", lambda question: says)
    try:
        assert "safe mode: True" in said(config, capsys).splitlines()
    finally:
        server.close()
