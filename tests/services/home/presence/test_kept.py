"""The owner's wishes: over restarts, beside the settings file, and on the safe side of damage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services import durable
from services.home.presence.kept import Kept, Owned

FILE = Owned(volume=80, sensitivity=50)


def test_what_was_set_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "new" / "presence.json"
    kept = Kept(path, FILE)
    assert kept.owned == FILE
    kept.set_level("volume", 30)
    kept.set_level("sensitivity", 70)
    kept.set_switch("mute", True)
    kept.set_switch("do_not_disturb", True)
    assert Kept(path, FILE).owned == kept.owned == Owned(30, 70, True, True)
    assert path.stat().st_mode & 0o077 == 0


def test_an_edited_settings_file_wins_over_what_was_set_before(tmp_path: Path) -> None:
    path = tmp_path / "presence.json"
    Kept(path, FILE).set_level("volume", 30)
    edited = Owned(volume=60, sensitivity=50)
    assert Kept(path, edited).owned.volume == 60
    assert Kept(path, FILE).owned.volume == 30


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"mute": "yes"}', b'{"volume":{"value":900,"instead_of":80}}',
               b" " * 5000]
)  # fmt: skip
def test_a_damaged_file_leaves_the_box_muted_never_listening(
    tmp_path: Path, damage: bytes
) -> None:
    path = tmp_path / "presence.json"
    path.write_bytes(damage)
    kept = Kept(path, FILE)
    assert kept.owned == Owned(80, 50, mute=True)
    kept.set_switch("mute", False)
    assert Kept(path, FILE).owned == FILE


def test_a_disk_that_takes_nothing_does_not_keep_a_wish_from_holding(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    kept = Kept(tmp_path / "file" / "presence.json", FILE)
    kept.set_switch("mute", True)
    assert kept.owned.mute
    assert "mute does not survive a restart" in caplog.text


def test_without_a_file_nothing_is_kept() -> None:
    kept = Kept(None, FILE)
    kept.set_level("volume", 1)
    assert kept.owned.volume == 1


def test_a_durable_write_replaces_the_whole_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("a much longer content")
    (tmp_path / ".f.draft").write_text("left by a power cut")
    durable.write(path, json.dumps({}).encode())
    assert path.read_text() == "{}"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]
