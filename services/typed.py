"""What a typed line means: a call, a question about it, or the reason why there is neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.home.entities import Entity
from services.home.question import Question, question
from services.home.resolver import DEVICE_CALLS, Resolution, resolve
from services.language.calls import Call
from services.language.fast_path import FastPath
from services.language.homeview import HomeView

_NOTHING = Call.of("HassNevermind")


@dataclass(frozen=True)
class Read:
    """One line, read."""

    call: Call
    error: str | None = None
    """Why nothing is carried out; a word of the replies."""
    question: Question | None = None
    """What to ask, with the error ``ambiguous``; the next line may answer it."""
    resolution: Resolution | None = field(default=None, compare=False)
    """Which devices it means, for ``Home.execute``; None where it is about none."""


class TypedLines:
    """Reads line after line; remembers one open question, for one line."""

    def __init__(self, path: FastPath) -> None:
        self._path = path
        self._open: Question | None = None

    def read(self, text: str, view: HomeView, entities: Sequence[Entity]) -> Read:
        """The meaning of a line in the home of this moment."""
        asked, self._open = self._open, None
        call = asked.answered(text) if asked else None
        if call is None:
            heard = self._path.understand(text, view)
            if heard.call is None:
                return Read(_NOTHING, _WORDS.get(heard.miss or "", heard.miss))
            call = heard.call
        if call.name in DEVICE_CALLS:
            resolution = resolve(call, entities, view.here)
            self._open = question(resolution)
            if self._open is not None:
                return Read(call, "ambiguous", self._open)
            return Read(call, resolution=resolution)
        return Read(call)


_WORDS = {"empty": "not_understood", "too_long": "not_understood"}
"""Misses that have no reply of their own."""
