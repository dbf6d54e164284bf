"""The owner's wishes: over restarts, beside the settings file, and on the safe side of damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.home.presence.kept import FILE_NAME, Kept, Wishes


def test_what_was_set_survives_a_restart(tmp_path: Path) -> None:
    kept = Kept(tmp_path, 50)
    assert kept.wishes == Wishes(50)
    kept.set_sensitivity(70)
    kept.set_switch("mute", True)
    kept.set_switch("do_not_disturb", True)
    assert Kept(tmp_path, 50).wishes == kept.wishes == Wishes(70, True, True)
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o077 == 0


def test_an_edited_settings_file_wins_over_what_was_set_before(tmp_path: Path) -> None:
    Kept(tmp_path, 50).set_sensitivity(70)
    assert Kept(tmp_path, 60).wishes.sensitivity == 60
    assert Kept(tmp_path, 50).wishes.sensitivity == 70


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b'{"mute": "yes"}', b'{"sensitivity":{"value":900,"instead_of":80}}'],
)
def test_a_damaged_file_leaves_the_box_muted_never_listening(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(damage)
    assert Kept(tmp_path, 50).wishes == Wishes(50, mute=True)
    again = Kept(tmp_path, 50)
    assert again.wishes.mute, "also after the damaged file was moved aside"
    again.set_switch("mute", False)
    assert Kept(tmp_path, 50).wishes == Wishes(50)


def test_a_disk_that_takes_nothing_does_not_keep_a_wish_from_holding(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "missing", 50)
    kept.set_switch("mute", True)
    assert kept.wishes.mute


def test_without_a_folder_nothing_is_kept() -> None:
    kept = Kept(None, 50)
    kept.set_sensitivity(1)
    assert kept.wishes.sensitivity == 1
