"""An evaluation set: what is played, in which home, and what should come of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from services.language.calls import Call
from services.language.functions import FUNCTIONS
from services.language.homeview import HomeView

Kind = Literal["command", "other", "elsewhere"]
"""command: this home can execute it, and must, exactly; other: nothing may move; elsewhere: a
command, but for another home (``next``, ``pause``): nothing may move, counted apart."""

MOVING = frozenset(name for name, row in FUNCTIONS.items() if row.effect == "moves")
"""Calls that move a device."""


@dataclass(frozen=True)
class Utterance:
    """One recording."""

    number: int
    """Place in its set; what is random about the utterance follows from it."""
    path: Path
    kind: Kind
    home: int = 0
    """Index in the set's homes."""
    text: str = ""
    """Spoken form, empty where unknown."""
    call: Call | None = None
    """What must be called; None unless a command."""
    voice: str = "person"
    """Who speaks: engine of the synthesiser, or person."""


@dataclass(frozen=True)
class EvaluationSet:
    """Everything one run of ``linnet eval`` plays."""

    name: str
    homes: Sequence[HomeView]
    utterances: Sequence[Utterance]
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Why → how many recordings were left out."""

    def of(self, kind: Kind) -> list[Utterance]:
        return [u for u in self.utterances if u.kind == kind]
