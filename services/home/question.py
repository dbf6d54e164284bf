"""One short question where a call may mean several devices, and what an answer does. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.home.entities import Entity
from services.home.resolver import Resolution
from services.language.calls import Call
from services.language.folding import fold, singular

MAX_CHOICES = 5
"""More than this many are not read out."""
_ORDER = ("first", "second", "third", "fourth", "fifth")
_FILLERS = frozenset({"the", "one", "in", "on", "please", "i", "mean", "meant", "my", "our", "of"})


@dataclass(frozen=True)
class Question:
    """Which of these is meant?"""

    call: Call
    choices: tuple[tuple[str, Entity], ...]
    """(label, device); labels are distinct spoken words, in their order."""

    @property
    def text(self) -> str:
        """``the one in the bedroom or the one in the office``."""
        return " or ".join(label for label, _ in self.choices)

    def answered(self, text: str) -> Call | None:
        """The call for the device an answer names, None when it names none of them."""
        said = _words(text)
        if not said:
            return None
        for place, (label, entity) in enumerate(self.choices):
            if said in (_words(label), _words(entity.name), (_ORDER[place],)):
                return narrowed(self.call, entity)
        return None


def question(resolution: Resolution) -> Question | None:
    """The question to ask about an ambiguous call; None when none tells the candidates apart."""
    found = resolution.candidates
    if resolution.refusal != "ambiguous" or resolution.call is None:
        return None
    if not 2 <= len(found) <= MAX_CHOICES:
        return None
    for label in _LABELS:
        labels = [label(entity) for entity in found]
        if all(labels) and len(set(labels)) == len(labels):
            choices = zip(map(str, labels), found, strict=True)
            return Question(resolution.call, tuple(sorted(choices, key=lambda c: c[0])))
    return None


def narrowed(call: Call, entity: Entity) -> Call:
    """The same call about one device."""
    kept = {k: v for k, v in call.args.items() if k not in ("floor", "device_class")}
    place = {"name": entity.name, "domain": entity.domain}
    if entity.area is not None:
        place["area"] = entity.area
    return Call.of(call.name, **{**kept, **place})


_LABELS: Sequence[Callable[[Entity], str | None]] = (
    lambda e: f"the one in the {e.area}" if e.area else None,
    lambda e: f"the {fold(e.name)}",
    lambda e: f"the {e.domain.replace('_', ' ')}",
)


def _words(text: str) -> tuple[str, ...]:
    return tuple(w for w in singular(fold(text)).split() if w not in _FILLERS)
