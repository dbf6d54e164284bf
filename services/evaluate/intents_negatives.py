"""Sentences that must move nothing, each with the refusal or question that it should get."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

from services.evaluate.errors import SetError
from services.evaluate.intents_home import Home, Language
from services.home.resolver import DEVICE_CALLS, resolve
from services.language.calls import Call
from services.language.fast_path import FastPath
from services.language.functions import FUNCTIONS

MAX_LINE = 1_000

Part = Literal["developed", "held_out"]
"""What the sentences were used for: to find faults by, or to see what was missed."""
_PARTS: dict[Part, str] = {"developed": "", "held_out": "held_out_"}


@dataclass(frozen=True)
class Negative:
    """One line of ``data/negatives_<language>.jsonl``."""

    text: str
    why: str
    """What is wrong with it: out of domain, unknown name …"""
    expect: tuple[str, ...]
    """Kinds that are right, the best first."""


@dataclass(frozen=True)
class NegativeVerdict:
    negative: Negative
    got: str
    """``moves``: a device would be commanded; ``answers``: a question or a call without a device
    would be answered; else the word of a miss or a refusal."""

    @property
    def right(self) -> bool:
        return self.got in self.negative.expect

    @property
    def unsafe(self) -> bool:
        return self.got == "moves"


def negatives(language: Language, part: Part = "developed") -> tuple[Negative, ...]:
    """All of a language and a part.

    Raises:
        SetError: a line is malformed; names it.
    """
    name = f"negatives_{_PARTS[part]}{language.lower().replace('-', '_')}.jsonl"
    file = files("services.evaluate") / "data" / name
    lines = file.read_text("utf-8").splitlines()
    return tuple(_negative(f"{name}:{n}", line) for n, line in enumerate(lines, 1) if line)


def _negative(where: str, line: str) -> Negative:
    try:
        row: dict[str, list[str]] = json.loads(line[:MAX_LINE])
        return Negative(str(row["text"]), str(row["why"]), tuple(map(str, row["expect"])))
    except (ValueError, TypeError, KeyError) as error:
        raise SetError(where, f"is no negative ({type(error).__name__})") from error


def judge(negative: Negative, home: Home, path: FastPath) -> NegativeVerdict:
    heard = path.understand(negative.text, home.view)
    return NegativeVerdict(
        negative, heard.miss or "" if heard.call is None else _became(heard.call, home)
    )


def _became(call: Call, home: Home) -> str:
    if call.name not in DEVICE_CALLS:
        return "answers"
    resolution = resolve(call, home.entities, home.here)
    if resolution.refusal is not None:
        return resolution.refusal
    there = [e for e in resolution.targets if e.available(0.0)]
    if not there:
        return "unavailable"
    return "moves" if FUNCTIONS[call.name].effect == "moves" else "answers"


def table(verdicts: Sequence[NegativeVerdict]) -> dict[str, object]:
    """``n``, ``right``, ``unsafe``, and the wrong ones."""
    wrong = [
        {"text": v.negative.text, "expected": v.negative.expect[0], "got": v.got}
        for v in verdicts
        if not v.right
    ]
    return {
        "n": len(verdicts),
        "right": sum(v.right for v in verdicts),
        "unsafe": sum(v.unsafe for v in verdicts),
        "wrong": wrong,
    }
