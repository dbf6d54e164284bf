"""May it be done: every command passes here before anything is sent. Pure, on given timestamps.

Risky steps come out of ``confirm`` only, after a yes to the very question ``weigh`` opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.home.entities import Entity
from services.home.pending import Asked, Pending
from services.home.rate_limit import RateLimit
from services.home.risk import Risk, sort_out
from services.home.step import Step
from services.language.calls import Call

NOBODY = Call.of("HassNevermind")
"""The call of an answer to no question."""


@dataclass(frozen=True)
class Verdict:
    """What may be sent now, and what must be told besides."""

    call: Call
    allowed: tuple[Step, ...] = ()
    error: str | None = None
    """needs_confirmation, not_by_voice, too_fast, or a ``pending.Refusal``."""
    facts: Mapping[str, str | int] = field(default_factory=dict)
    """Names, joined by commas, by what is not done to them: the verbs of ``risk.Risk``, and
    ``too_fast``. ``answer_s``: seconds in which a yes counts; absent where nobody can answer."""


class Safety:
    """One question and the rate limits of one home; its owner holds a lock."""

    def __init__(self, pending: Pending | None = None, limit: RateLimit | None = None) -> None:
        self._pending = pending or Pending()
        self._limit = limit or RateLimit()

    @property
    def asking(self) -> bool:
        return self._pending.open

    def withdraw(self) -> None:
        """Forget the open question."""
        self._pending.drop()

    def look(self, entities: Iterable[Entity], now_s: float) -> None:
        """Time passed or the home changed; see ``Pending.look``."""
        self._pending.look(entities, now_s)

    def weigh(
        self, call: Call, steps: Sequence[Step], session: str | None, now_s: float
    ) -> Verdict:
        """Split a call's steps into those that may go and those that need a yes, or never go.

        Args:
            session: who can be asked back; None for nobody, then no question is opened.
        """
        self._pending.drop()
        found = sort_out(steps)
        facts: dict[str, str | int] = {**_named(found.refused), **_named(found.asked)}
        error = "not_by_voice" if found.refused else None
        if found.asked:
            error = "needs_confirmation"
            if session is not None:
                risky = tuple(step for _, step in found.asked)
                self._pending.ask(Asked(call, risky, session, now_s))
                facts["answer_s"] = int(self._pending.answer_s)
        return self._limited(call, found.free, now_s, error, facts)

    def confirm(self, said: str, session: str, entities: Iterable[Entity], now_s: float) -> Verdict:
        """The steps that were asked about, if this is a yes; see ``Pending.answer``."""
        answer = self._pending.answer(said, session, entities, now_s)
        call = answer.asked.call if answer.asked else NOBODY
        if answer.asked is None or answer.refusal is not None:
            return Verdict(call, error=answer.refusal)
        return self._limited(call, answer.asked.steps, now_s, None, {})

    def _limited(
        self,
        call: Call,
        steps: Sequence[Step],
        now_s: float,
        error: str | None,
        facts: Mapping[str, str | int],
    ) -> Verdict:
        admitted = [self._limit.admit(step.entity.entity_id, now_s) for step in steps]
        slow = tuple(step for step, may in zip(steps, admitted, strict=True) if may)
        fast = [step.entity.name for step, may in zip(steps, admitted, strict=True) if not may]
        if not fast:
            return Verdict(call, slow, error, facts)
        return Verdict(call, slow, error or "too_fast", {**facts, "too_fast": ",".join(fast)})


def _named(dangers: Iterable[tuple[Risk, Step]]) -> dict[str, str]:
    named: dict[str, list[str]] = {}
    for danger, step in dangers:
        named.setdefault(danger, []).append(step.entity.name)
    return {danger: ",".join(names) for danger, names in named.items()}
