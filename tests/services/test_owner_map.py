"""The owner's map of the home: what is kept, what wins, and what is refused."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.owner_map import (
    MAX_NAME,
    OwnerMap,
    changing,
    kept_name,
    read_map,
    with_owner_map,
)
from services.settings import Home, Settings
from services.settings_file import SettingsError
from services.wiring import home_map


def assign(path: Path, device: str, area: str | None = None, *aliases: str) -> None:
    with changing(path) as kept:
        kept.map = kept.map.with_device(device, area, aliases)


def replace_by(path: Path, new: OwnerMap) -> None:
    with changing(path) as kept:
        kept.map = new


def settings(path: Path, **home: object) -> Settings:
    return Settings(home=Home.model_validate({"map_file": path, **home}))


@pytest.mark.parametrize(
    ("written", "kept"),
    [("Living Room", "living room"), ("Küche 2", "kuche two"), ("客厅", "客厅"), ("一楼", "一楼")],
)
def test_a_name_is_kept_as_it_is_spoken_or_written(written: str, kept: str) -> None:
    assert kept_name(written) == kept


@pytest.mark.parametrize("text", ["", "  ", "!?", "a\nb", "\x1b[2J", "x" * 65, "9" * 20, "a" * 999])
def test_what_is_no_name_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|has) ") as refusal:
        kept_name(text)
    assert len(text) < 3 or text not in str(refusal.value)


@given(st.text(max_size=80))
def test_a_kept_name_is_bounded_and_read_back_as_a_name(text: str) -> None:
    try:
        kept = kept_name(text)
    except ValueError:
        return
    assert 0 < len(kept) <= MAX_NAME
    again = OwnerMap.model_validate_json(OwnerMap(areas={"light.a": kept}).model_dump_json())
    assert again.areas["light.a"]


def test_what_was_assigned_is_there_for_whoever_opens_the_home(tmp_path: Path) -> None:
    path = tmp_path / "home.json"
    assign(path, "light.desk", "office", "reading light")
    assign(path, "light.spots", "客厅")
    with changing(path) as kept:
        kept.map = kept.map.with_room("office", "first floor", ())
    told = home_map(with_owner_map(settings(path)).home)
    assert told.areas == {"light.desk": "office", "light.spots": "客厅"}
    assert told.floors == {"office": "first floor"}
    assert told.aliases == {"light.desk": ("reading light",)}


def test_a_room_given_alone_leaves_the_other_names_and_new_names_replace_the_old(
    tmp_path: Path,
) -> None:
    path = tmp_path / "home.json"
    assign(path, "light.desk", "office", "reading light")
    assign(path, "light.desk", "study")
    assert read_map(path).aliases == {"light.desk": ("reading light",)}
    assign(path, "light.desk", None, "work light")
    assert read_map(path).areas == {"light.desk": "study"}
    assert read_map(path).aliases == {"light.desk": ("work light",)}


def test_the_settings_file_wins_entry_by_entry(tmp_path: Path) -> None:
    path = tmp_path / "home.json"
    assign(path, "light.desk", "office", "reading light")
    assign(path, "light.spots", "kitchen")
    merged = with_owner_map(
        settings(path, areas={"light.desk": "attic"}, aliases={"light.desk": ()})
    )
    assert merged.home.areas == {"light.desk": "attic", "light.spots": "kitchen"}
    assert merged.home.aliases == {"light.desk": ()}


def test_without_a_file_the_settings_are_as_they_are(tmp_path: Path) -> None:
    alone = settings(tmp_path / "home.json", areas={"light.desk": "attic"})
    assert with_owner_map(alone) == alone


def test_the_daemon_may_read_it_whoever_wrote_it(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        assign(tmp_path / "home.json", "light.desk", "office")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "home.json").stat().st_mode) == 0o644


@pytest.mark.parametrize(
    "text",
    [
        '{"areas": {"light.desk": "office"',
        '{"rooms": {}}',
        '{"areas": {"../etc": "office"}}',
        '{"areas": {"light.desk": ""}}',
        '{"aliases": {"light.desk": "one"}}',
        '{"aliases": {"light.desk": ["a","b","c","d","e","f","g","h","i"]}}',
        " " * 300_000,
    ],
)
def test_a_damaged_map_is_an_error_that_leaves_it_in_its_place(tmp_path: Path, text: str) -> None:
    path = tmp_path / "home.json"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"home\.json: .*mend it"):
        with_owner_map(settings(path))
    with pytest.raises(SettingsError, match=r"home\.json: .*mend it"):
        assign(path, "light.desk", "office")
    assert path.read_text() == text


def test_a_map_that_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "home.json"
    assign(path, "light.desk", "office")
    many = OwnerMap(areas={f"light.number_{i}": "room " + "x" * 50 for i in range(4000)})
    with pytest.raises(SettingsError, match=r"cannot be written: larger than"):
        replace_by(path, many)
    assert read_map(path).areas == {"light.desk": "office"}


def test_a_place_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere/home\.json: cannot be written.*sudo"):
        assign(tmp_path / "nowhere" / "home.json", "light.desk", "office")


def test_two_who_assign_at_once_are_both_heard(tmp_path: Path) -> None:
    path = tmp_path / "home.json"
    threads = [
        threading.Thread(target=assign, args=(path, f"light.number_{i}", "office"))
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_map(path).areas) == 8
