"""What a typed line means: a call, a question about it, or the reason why there is neither.

Sentence templates are asked first. What none of them fits may be guessed by a language model,
whose call goes the same way as theirs: checked, resolved, and never past the question that a risky
command is met with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from services.home.entities import Entity
from services.home.question import Question, question
from services.home.resolver import DEVICE_CALLS, Resolution, resolve
from services.language.calls import Call
from services.language.fast_path import FastPath
from services.language.functions import EVERYWHERE, CallError, checked
from services.language.homeview import HomeView
from services.language.line_guess import Guess
from services.language.yes_no import says_yes

_NOTHING = Call.of("HassNevermind")
GUESSED = frozenset({"not_understood", "no_device", "no_area", "no_floor"})
"""Misses that a guess may mend: a slip in a name is a name nobody knows."""
_PLACES = frozenset({"name", "area", "floor", "domain", "device_class"})


class Guesser(Protocol):
    """Whoever reads what no template fits; see ``LineGuess``."""

    def guess(self, text: str, view: HomeView, others: Sequence[Call] = ()) -> Guess: ...


class Tools(Protocol):
    """Whoever knows tools beyond the home; see ``services.mcp.listed``."""

    def meant(self, line: str) -> Sequence[Call]:
        """Calls that the words of a line allow."""


@dataclass(frozen=True)
class Read:
    """One line, read."""

    call: Call
    error: str | None = None
    """Why nothing is carried out; a word of the replies."""
    question: Question | None = None
    """What to ask, with the error ``ambiguous``; the next line may answer it."""
    guessed: bool = False
    """No template fits; a language model chose the call. With the error ``unsure`` it is carried
    out when the next line agrees."""
    resolution: Resolution | None = field(default=None, compare=False)
    """Which devices it means, for ``Home.execute``; None where it is about none."""


class TypedLines:
    """Reads line after line; remembers one open question, or one guess, for one line."""

    def __init__(
        self, path: FastPath, guesser: Guesser | None = None, tools: Tools | None = None
    ) -> None:
        """
        Args:
            tools: may be meant by a line that the home has nothing for; never without a yes.
        """
        self._path = path
        self._guesser = guesser
        self._tools = tools
        self._open: Question | None = None
        self._held: Call | None = None

    def read(self, text: str, view: HomeView, entities: Sequence[Entity]) -> Read:
        """The meaning of a line in the home of this moment."""
        asked, held = self._open, self._held
        self.forget()
        call = asked.answered(text) if asked else held if says_yes(text) else None
        if call is None:
            heard = self._path.understand(text, view)
            if heard.call is None:
                if heard.miss in GUESSED and self._path.several(text, view):
                    return Read(_NOTHING, "one_at_a_time")
                miss = Read(_NOTHING, _WORDS.get(heard.miss or "", heard.miss))
                return self._asked_back(self._guessed(text, heard.miss, view, entities) or miss)
            call = heard.call
        return self._asked_back(_resolved(call, view, entities))

    def forget(self) -> None:
        """The line was about something else: no question is open any more."""
        self._open = self._held = None

    def _guessed(
        self, text: str, miss: str | None, view: HomeView, entities: Sequence[Entity]
    ) -> Read | None:
        if miss not in GUESSED:
            return None
        others = tuple(self._tools.meant(text)) if self._tools else ()
        guess = self._guesser.guess(text, view, others) if self._guesser else Guess()
        theirs = [call for call in guess.readings if call in others]
        if not theirs:
            read = guessed(guess, miss, view, entities)
            # Of the home nothing is meant, and the words leave one tool.
            return read or (Read(others[0], guessed=True) if len(others) == 1 else None)
        return Read(theirs[0], guessed=True) if len(guess.readings) == 1 else None

    def _asked_back(self, read: Read) -> Read:
        self._open = read.question
        if read.guessed and read.error is None:
            self._held = read.call
            return replace(read, error="unsure", resolution=None)
        return read


def guessed(guess: Guess, miss: str, view: HomeView, entities: Sequence[Entity]) -> Read | None:
    """What a guess comes to: its call, a question where it names several devices, else nothing.

    Where the templates know the command but not the place (``miss``), the guess must know it: the
    lights of a room that does not exist are not all lights.

    Several readings count as one where they do the same in this home.
    """
    found: dict[object, tuple[Call, Resolution]] = {}
    calls = _well_formed(guess.readings)
    if miss != "not_understood" and not all(map(_placed, calls)):
        return None
    for call in calls:
        resolution = _resolution(call, view, entities)
        targets = tuple(sorted(e.entity_id for e in resolution.targets))
        found.setdefault((_wish(call), targets, resolution.refusal), (call, resolution))
    if len(found) == 1:
        ((call, _),) = found.values()
        return replace(_resolved(call, view, entities), guessed=True)
    wishes = {_wish(call) for call, _ in found.values()}
    meant = [entity for _, resolution in found.values() for entity in resolution.targets]
    if len(wishes) != 1 or len(meant) != len(found):
        return None
    call = Call(*wishes.pop())
    asked = question(Resolution(refusal="ambiguous", candidates=tuple(meant), call=call))
    if asked is None:
        return None
    return Read(call, "ambiguous", asked, guessed=True)


def _well_formed(calls: Sequence[Call]) -> Sequence[Call]:
    try:
        return [checked(call) for call in calls]
    except CallError:
        return ()


def _placed(call: Call) -> bool:
    return "name" in call.args or call.args.get("area", EVERYWHERE) != EVERYWHERE


def _wish(call: Call) -> tuple[str, tuple[tuple[str, str | int], ...]]:
    """A call without its place."""
    return call.name, tuple((k, v) for k, v in call.arguments if k not in _PLACES)


def _resolution(call: Call, view: HomeView, entities: Sequence[Entity]) -> Resolution:
    return resolve(call, entities, view.here) if call.name in DEVICE_CALLS else Resolution()


def _resolved(call: Call, view: HomeView, entities: Sequence[Entity]) -> Read:
    if call.name not in DEVICE_CALLS:
        return Read(call)
    resolution = resolve(call, entities, view.here)
    asked = question(resolution)
    return Read(call, resolution=resolution) if asked is None else Read(call, "ambiguous", asked)


_WORDS = {"empty": "not_understood", "too_long": "not_understood"}
"""Misses that have no reply of their own."""
