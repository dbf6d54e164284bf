"""``linnet devices assign`` where it needs no broker: what does not fit, and what is cleared."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from services.cli import build_parser, main
from services.commands.devices import ASSIGN_EXAMPLE, ASSIGN_HELP
from services.exit_codes import ExitCode
from services.owner_map import changing, read_map

Assign = Callable[..., tuple[int, str, str]]


@pytest.fixture
def assign(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Assign:
    """Runs it with a broker that is nowhere: (exit status, standard output, standard error)."""
    config = tmp_path / "linnet.toml"
    config.write_text(
        f'[mqtt]\nport = 1\n[home]\nmap_file = "{tmp_path}/home.json"\n'
        'areas = { "light.spots" = "kitchen" }\n'
    )

    def run(*words: str) -> tuple[int, str, str]:
        status = main(["devices", "--config", str(config), "assign", *words])
        return (status, *capsys.readouterr())

    return run


def test_help_is_one_line_and_one_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["devices", "assign", "--help"])
    text = capsys.readouterr().out
    assert ASSIGN_HELP.lower() in re.sub(r"\s+", " ", text).lower()
    assert f"example:\n  {ASSIGN_EXAMPLE}" in text


def test_options_before_the_word_assign_count_as_those_behind_it() -> None:
    parse = build_parser().parse_args
    before = parse(["devices", "--json", "--wait", "9", "assign", "light.desk", "--clear"])
    behind = parse(["devices", "assign", "light.desk", "--clear", "--json", "--wait", "9"])
    assert vars(before) == vars(behind)
    assert (before.json, before.wait, before.config) == (True, 9.0, None)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "name one DEVICE"),
        (("light.desk", "--room", "office", "--clear"), "name one DEVICE"),
        (("light.desk",), "say what to assign"),
        (("light.desk", "--area", "office", "--clear"), "or --clear alone"),
        (("light.desk", "--floor", "attic"), "--floor is of a --room"),
        (("--room", "office", "--area", "study", "--floor", "attic"), "is of a DEVICE"),
        (("--room", "office"), "say what to assign"),
        (("--group", "lamps"), "say what to assign"),
        (("--group", "lamps", "--alias", "spots"), "has only an --area"),
        (("--group", "lamps", "--room", "office", "--clear"), "or one --group"),
        (("light.desk", "--area", "!"), "--area: has no letters"),
        (("light.desk", "--area", ""), "--area: has no letters"),
        (("light.desk", *[w for i in range(9) for w in ("--alias", f"a {i}")]), "8 are the most"),
    ],
)
def test_what_does_not_fit_is_one_line_before_the_broker_is_asked(
    assign: Assign, words: tuple[str, ...], says: str
) -> None:
    status, out, said = assign(*words)
    assert (status, out) == (ExitCode.USAGE, "")
    assert says in said
    assert said.count("\n") == 1


def test_what_the_settings_file_says_has_to_be_changed_there(
    assign: Assign, tmp_path: Path
) -> None:
    status, _, said = assign("light.spots", "--area", "attic")
    assert status == ExitCode.SETTINGS
    assert f'{tmp_path}/linnet.toml: home.areas."light.spots": the settings file' in said
    assert not (tmp_path / "home.json").exists()


def test_what_was_assigned_to_a_device_that_is_gone_can_be_cleared(
    assign: Assign, tmp_path: Path
) -> None:
    with changing(tmp_path / "home.json") as kept:
        named = kept.map.with_device("light.desk", "office", ("reading light",))
        kept.map = named.with_room("office", "first floor", ())
    status, out, _ = assign("light.desk", "--clear", "--json")
    assert status == ExitCode.OK
    assert json.loads(out) == {"device": "light.desk", "room": None, "other_names": []}
    status, out, said = assign("--room", "Office", "--clear")
    assert (status, out) == (ExitCode.OK, "room: office; floor: not assigned; other names: none\n")
    assert "systemctl reload" in said
    left = read_map(tmp_path / "home.json")
    assert (left.areas, left.floors, left.aliases) == ({}, {}, {})


def test_a_groups_room_is_cleared_like_any_other(assign: Assign, tmp_path: Path) -> None:
    with changing(tmp_path / "home.json") as kept:
        kept.map = kept.map.with_group("sofa lamps", "living room")
    status, out, _ = assign("--group", "Sofa Lamps", "--clear", "--json")
    assert (status, json.loads(out)) == (ExitCode.OK, {"group": "sofa lamps", "room": None})
    assert read_map(tmp_path / "home.json").groups == {}


def test_clearing_what_was_never_assigned_names_the_nearest(assign: Assign, tmp_path: Path) -> None:
    with changing(tmp_path / "home.json") as kept:
        kept.map = kept.map.with_device("light.desk", "office", ())
    status, _, said = assign("light.dsk", "--clear")
    assert status == ExitCode.USAGE
    assert "nothing is assigned to light.dsk; did you mean light.desk?" in said
