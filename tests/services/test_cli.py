"""The ``linnet`` command as a user meets it: help, exit codes, one line for each error."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from services.cli import COMMANDS, command_module, exit_code_of, main
from services.exit_codes import ExitCode
from tests.support.tiny_bundle import write_bundle

ROOT = Path(__file__).parents[2]


def linnet(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Settings whose bundles live in the test's own directory, and whose broker is nowhere."""
    path = tmp_path / "linnet.toml"
    path.write_text(f'[model]\ngenerations = "{tmp_path}/models"\n[mqtt]\nport = 1\n', "utf-8")
    return path


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_one_line_and_one_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        main([name, "--help"])
    text = capsys.readouterr().out
    module = command_module(name)
    assert "\n" not in module.HELP
    assert module.HELP.lower() in re.sub(r"\s+", " ", text).lower()
    assert f"example:\n  linnet {name}" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_is_a_command_line_that_parses(name: str) -> None:
    from services.cli import build_parser

    args = build_parser().parse_args(command_module(name).EXAMPLE.split()[1:])
    assert args.command == name


def test_no_command_prints_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == ExitCode.USAGE
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in COMMANDS)
    assert "3 settings" in out


def test_an_unknown_command_is_a_usage_error() -> None:
    done = linnet("dance")
    assert done.returncode == ExitCode.USAGE
    assert "Traceback" not in done.stderr


def test_a_broken_settings_file_is_one_line_with_exit_3(tmp_path: Path) -> None:
    path = tmp_path / "linnet.toml"
    path.write_text("[wake]\nsensitivty = 0.4\n", "utf-8")
    done = linnet("config", "check", str(path))
    assert done.returncode == ExitCode.SETTINGS
    assert done.stderr == (
        f"linnet config: {path}:2: wake.sensitivty: unknown key; did you mean wake.sensitivity?\n"
    )
    report = json.loads(linnet("config", "check", str(path), "--json").stdout)
    assert report["problems"][0]["line"] == 2


def test_config_show_tells_where_a_value_comes_from(settings: Path) -> None:
    report = json.loads(linnet("config", "show", "--json", LINNET_CONFIG=str(settings)).stdout)
    rows = {row["key"]: row for row in report["settings"]}
    assert (rows["mqtt.port"]["value"], rows["mqtt.port"]["line"]) == (1, 4)
    assert (rows["wake.phrase"]["value"], rows["wake.phrase"]["line"]) == ("okay nabu", None)


def test_devices_without_a_broker_says_where_it_looked(settings: Path) -> None:
    done = linnet("devices", "--config", str(settings))
    assert done.returncode == ExitCode.BROKER
    assert "127.0.0.1:1" in done.stderr
    assert done.stderr.count("\n") == 1


Output = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def bundle(settings: Path, capsys: pytest.CaptureFixture[str]) -> Output:
    """``linnet bundle`` in this process: (exit status, standard output, standard error)."""

    def run(words: str) -> tuple[int, str, str]:
        status = main(["bundle", *words.split(), "--config", str(settings), "--json"])
        return (status, *capsys.readouterr())

    return run


def test_a_damaged_bundle_is_refused_with_exit_5(tmp_path: Path, bundle: Output) -> None:
    damaged = write_bundle(tmp_path / "bundle")
    (damaged / "voice.bin").write_bytes(b"voice two")
    status, _, said = bundle(f"install {damaged}")
    assert status == ExitCode.BUNDLE
    assert "voice.bin" in said
    assert said.count("\n") == 1


def test_bundles_are_installed_listed_and_rolled_back(tmp_path: Path, bundle: Output) -> None:
    for marker in ("one", "two"):
        path = write_bundle(tmp_path / marker, marker)
        assert bundle(f"install {path}")[0] == ExitCode.OK
    rows = json.loads(bundle("list")[1])["generations"]
    assert [row["current"] for row in rows] == [False, True]
    bundle("rollback")
    rows = json.loads(bundle("list")[1])["generations"]
    assert [row["current"] for row in rows] == [True, False]
    assert Path(json.loads(bundle("verify")[1])["bundle"]).name == rows[0]["name"]


def test_install_without_a_directory_is_a_usage_error(bundle: Output) -> None:
    status, _, said = bundle("install")
    assert status == ExitCode.USAGE
    assert "DIRECTORY" in said


def test_a_missing_extra_names_the_extra() -> None:
    error = ModuleNotFoundError("No module named 'pocketsphinx'", name="pocketsphinx")
    assert exit_code_of(error) is ExitCode.MISSING_PACKAGE
    assert exit_code_of(ModuleNotFoundError("x", name="services.nothing")) is None


def test_every_error_with_an_exit_code_exists() -> None:
    import importlib

    from services.cli import _EXIT_CODES

    for place in _EXIT_CODES:
        module, name = place.split(":")
        assert issubclass(getattr(importlib.import_module(module), name), Exception)
