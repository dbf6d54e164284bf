"""``linnet eval --set typed-misses``: typed lines that no template fits, judged by what they do."""

from __future__ import annotations

import json

import pytest

from services.cli import main
from services.evaluate.errors import SetError
from services.evaluate.intents_home import merged_home
from services.evaluate.typed_misses import (
    Miss,
    Ranked,
    _miss,
    became,
    lines,
    measure,
    misses,
)
from services.exit_codes import ExitCode
from services.language.calls import Call
from services.language.fast_path import FastPath
from services.language.homeview import HomeView
from services.language.line_guess import Guess
from services.typed import GUESSED

HOME = merged_home("en")
LAMP = Call.of("HassTurnOn", name="desk lamp")


def ranked(meant: Call | None, *readings: Call, score: float = -0.1) -> Ranked:
    return Ranked(Miss("…", "hand", meant), Guess(readings, score), "not_understood", 1.0)


def test_the_set_holds_commands_and_talk_that_no_template_fits() -> None:
    path, every = FastPath("en"), misses()
    assert all(path.understand(m.text, HOME.view).miss in GUESSED for m in every[::12])
    assert sum(m.call is not None for m in every) >= 200
    assert sum(m.call is not None and m.by == "hand" for m in every) >= 80
    assert sum(m.call is None for m in every) >= 150
    assert len({m.text for m in every}) == len(every)


def test_a_line_is_judged_by_what_it_does() -> None:
    other = Call.of("HassTurnOff", name="desk lamp")
    assert became(ranked(LAMP, LAMP), -0.2, HOME) == "right"
    assert became(ranked(LAMP, other), -0.2, HOME) == "wrong"
    assert became(ranked(None, LAMP), -0.2, HOME) == "unsafe"
    assert became(ranked(None, Call.of("HassGetCurrentTime")), -0.2, HOME) == "wrong"
    assert became(ranked(LAMP, LAMP), -0.05, HOME) == "refused"
    assert became(ranked(LAMP), -0.2, HOME) == "refused"


def test_a_question_is_neither_right_nor_wrong() -> None:
    lamp = Call.of("HassTurnOn", name="reading light")
    assert became(ranked(None, lamp), -0.2, HOME) == "asked"


def test_a_model_that_knows_every_line_is_told_so() -> None:
    known = {m.text: m.call for m in misses()}

    def rank(text: str, view: HomeView) -> Guess:
        call = known.get(text)
        return Guess((call,), -0.001) if call else Guess()

    table = measure(rank, 25, lambda done, of, note: None)
    (*_, strictest) = table["sweep"]  # type: ignore[misc]
    assert strictest["right"] >= 20
    assert (strictest["wrong"], strictest["unsafe"], strictest["negatives_called"]) == (0, 0, 0)
    json.dumps(table)
    assert any("typed-misses" in line for line in lines(table))


def test_a_malformed_line_is_named() -> None:
    with pytest.raises(SetError, match="f:3"):
        _miss("f:3", '{"text": "x", "by": "hand", "call": {"name": "Nothing", "arguments": {}}}')


def test_the_set_runs_with_the_shipped_bundle(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--set", "typed-misses", "--limit", "5", "--json"]) == ExitCode.OK
    table = json.loads(capsys.readouterr().out)
    assert table["commands"] == 5
    assert len(table["sweep"]) > 5
