"""``linnet fleet simulate`` as an operator uses it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from services.exit_codes import ExitCode
from services.fleet import simulate


def call(*words: str) -> int:
    parser = argparse.ArgumentParser()
    simulate.add_arguments(parser)
    return simulate.run(parser.parse_args(words))


def test_json_gives_what_a_bad_release_costs(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--devices", "100000", "--silent", "0.3", "--json") == ExitCode.OK
    told = json.loads(capsys.readouterr().out)
    assert 0 < told["bricked"] < told["exposed"] < 100
    assert told["hours"] < 24
    assert told["stopped"]


def test_a_line_says_that_a_good_release_completed(capsys: pytest.CaptureFixture[str]) -> None:
    call("--devices", "20000")
    assert "completed" in capsys.readouterr().out


@pytest.mark.parametrize("words", [("--silent", "1.5"), ("--devices", "0"), ("--failing", "nan")])
def test_nonsense_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit):
        call(*words)


def test_the_picture_is_a_png(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    call("--devices", "5000", "--silent", "0.3", "--plot", str(tmp_path / "out.png"))
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    assert "bricked" in capsys.readouterr().out
