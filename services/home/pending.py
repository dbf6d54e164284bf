"""The one open question: something risky was asked for, and waits for a yes. Pure.

It holds exactly what was asked for then, for one session, for a short while, and gives it out
once. Any other command, a wake word, the clock, or a change of the thing itself closes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from services.home.entities import Entity
from services.home.step import Step, same
from services.language.calls import Call
from services.language.yes_no import says_yes

ANSWER_S = 10.0
"""How long a yes counts, from the moment the question was put to the model."""

Refusal = Literal["left_alone", "too_late", "home_changed", "nothing_asked"]
"""Why an answer moves nothing: it was a no; it came late; the thing is gone, renamed or away;
nobody had asked, or asked somebody else."""


@dataclass(frozen=True)
class Asked:
    """What a yes would set going."""

    call: Call
    steps: tuple[Step, ...]
    session: str
    """Whose answer counts."""
    at_s: float


@dataclass(frozen=True)
class Answer:
    """The steps to carry out, with the things as they are now, or why there are none."""

    asked: Asked | None = None
    refusal: Refusal | None = None


class Pending:
    """At most one question; every answer closes it, whatever it says."""

    def __init__(self, answer_s: float = ANSWER_S) -> None:
        self.answer_s = answer_s
        self._asked: Asked | None = None
        self._closed: Refusal = "nothing_asked"
        """What became of the last question, if it closed by itself."""

    @property
    def open(self) -> bool:
        return self._asked is not None

    def ask(self, asked: Asked) -> None:
        """Put a question; one that was open is gone."""
        self._asked, self._closed = asked, "nothing_asked"

    def drop(self) -> None:
        """Another command, a wake word: nobody is answering any more."""
        self._asked, self._closed = None, "nothing_asked"

    def look(self, entities: Iterable[Entity], now_s: float) -> None:
        """Close the question if its time is over or one of its things is not as it was."""
        asked = self._asked
        if asked is None:
            return
        if not 0 <= now_s - asked.at_s <= self.answer_s:
            self._asked, self._closed = None, "too_late"
        elif _still(asked, entities, now_s) is None:
            self._asked, self._closed = None, "home_changed"

    def answer(self, said: str, session: str, entities: Iterable[Entity], now_s: float) -> Answer:
        """Take an answer: the steps, once, after a yes in time from the one who was asked."""
        known = tuple(entities)
        self.look(known, now_s)
        asked, why = self._asked, self._closed
        self.drop()
        if asked is None:
            return Answer(refusal=why)
        if asked.session != session:
            return Answer(refusal="nothing_asked")
        if not says_yes(said):
            return Answer(asked, "left_alone")
        return Answer(_still(asked, known, now_s))


def _still(asked: Asked, entities: Iterable[Entity], now_s: float) -> Asked | None:
    """The question with its things as they are now; None when one has changed."""
    by_id = {entity.entity_id: entity for entity in entities}
    fresh: list[Step] = []
    for step in asked.steps:
        now = by_id.get(step.entity.entity_id)
        if now is None or not same(step.entity, now) or not now.available(now_s):
            return None
        fresh.append(Step(now, step.call))
    return replace(asked, steps=tuple(fresh))
