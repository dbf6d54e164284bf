"""``linnet doctor`` against a real broker, a real bundle, and what is wrong with either."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from services.doctor import Finding, check_bundle, examine, main
from services.exit_codes import ExitCode
from services.home.embedded_broker import EmbeddedBroker
from services.local_socket import SocketServer
from services.settings import Settings
from services.voice.trial.words import VoiceState
from tests.support.tiny_bundle import write_bundle


def findings(config: Path) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(config)}


def write_settings(tmp_path: Path, port: int, bundle: Path) -> Path:
    path = tmp_path / "linnet.toml"
    path.write_text(f'[mqtt]\nport = {port}\n[model]\nbundle = "{bundle}"\n', "utf-8")
    return path


def test_all_is_well_with_a_broker_and_a_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with EmbeddedBroker() as broker:
        config = write_settings(tmp_path, broker.address.port, write_bundle(tmp_path / "bundle"))
        status = main(argparse.Namespace(config=config, json=True))
    report = json.loads(capsys.readouterr().out)
    assert status == ExitCode.OK, report
    states = {check["name"]: check["status"] for check in report["checks"]}
    assert (states["broker"], states["bundle"], states["settings"]) == ("ok", "ok", "ok")


def test_each_fault_has_a_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    (bundle / "voice.bin").unlink()
    config = write_settings(tmp_path, 1, bundle)
    found = findings(config)
    assert (found["broker"].status, found["bundle"].status) == ("fail", "fail")
    assert "127.0.0.1:1" in found["broker"].found
    assert "voice.bin" in found["bundle"].found
    assert all(f.remedy for f in found.values() if f.status != "ok")
    assert main(argparse.Namespace(config=config, json=False)) == ExitCode.CHECK_FAILED
    assert "fail  broker" in capsys.readouterr().out


def test_broken_settings_do_not_stop_the_other_checks(tmp_path: Path) -> None:
    config = tmp_path / "linnet.toml"
    config.write_text("[wake]\nsensitivty = 1\n", "utf-8")
    found = findings(config)
    assert found["settings"].status == "fail"
    assert f"{config}:2" in found["settings"].found
    assert "bundle" in found


def test_a_makeshift_that_answers_in_place_of_the_bundle_is_told(tmp_path: Path) -> None:
    config = write_settings(tmp_path, 1, write_bundle(tmp_path / "bundle"))
    updates = f'repository = "https://updates.example"\nvoice_socket = "{tmp_path}/voice.sock"\n'
    config.write_text(config.read_text("utf-8") + f"[ota]\n{updates}", "utf-8")
    settings = Settings.load(config)
    assert check_bundle(settings).status == "ok", "the voice daemon does not run"
    for safe, status in ((True, "warn"), (False, "ok")):
        says = VoiceState(safe_mode=safe).model_dump(mode="json")
        server = SocketServer(tmp_path / "voice.sock", lambda question, says=says: says)
        assert check_bundle(settings).status == status
        server.close()


def test_a_language_the_model_does_not_speak_is_told(tmp_path: Path) -> None:
    config = write_settings(tmp_path, 1, write_bundle(tmp_path / "bundle"))
    assert findings(config)["language"] == Finding("language", "ok", "en")
    config.write_text(config.read_text("utf-8") + '[home]\nlanguage = "zh-CN"\n', "utf-8")
    told = findings(config)["language"]
    assert (told.status, "zh-CN" in told.found, bool(told.remedy)) == ("warn", True, True)
