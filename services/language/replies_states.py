"""The answer to a question about several devices: ``two of eight lights are on``.

What nobody knows is told beside what is known, and never counted as an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.language.folding import plural
from services.language.outcome import DeviceResult, Outcome
from services.language.phrases import are, floor, joined, room, the
from services.language.replies_devices import kind
from services.language.spoken import number_words, spoken

Replies = tuple[str, ...]
NAMED = 3
"""More devices than this are counted, not named."""


@dataclass(frozen=True)
class Sorted:
    """Devices by what they answer to a question."""

    so: tuple[DeviceResult, ...]
    """In the state that was asked about."""
    otherwise: tuple[DeviceResult, ...]
    unknown: tuple[DeviceResult, ...]
    """Away, or have told nothing yet."""

    @property
    def known(self) -> int:
        return len(self.so) + len(self.otherwise)


def sort_out(outcome: Outcome) -> Sorted:
    asked = str(outcome.call.args["state"])
    known = [r for r in outcome.results if r.status == "confirmed" and r.state]
    so = [r for r in known if is_in(str(r.state), asked)]
    return Sorted(
        tuple(so),
        tuple(r for r in known if r not in so),
        tuple(r for r in outcome.results if r not in known),
    )


def is_in(state: str, asked: str) -> bool:
    """Whether a told state is the one asked about: ``on at 60 percent`` is on."""
    return state == asked or state.startswith((f"{asked} ", f"{asked},"))


def several(outcome: Outcome, words: Callable[[str], str]) -> Replies:
    """The allowed replies about more than one device.

    Args:
        words: a state as it is said.
    """
    if "state" not in outcome.call.args:
        return (_each(outcome.results, words),)
    found, state = sort_out(outcome), words(str(outcome.call.args["state"]))
    parts = [_answer(outcome, found, state)] if found.known else []
    if found.unknown:
        parts.append(f"i don't know about {_names(found.unknown, kind(found.unknown))}")
    return (" and ".join(parts),)


def _answer(outcome: Outcome, found: Sorted, state: str) -> str:
    things, place = _things(outcome), _place(outcome)
    if not found.so:
        return f"no {things}{place} are {state}"
    if not found.otherwise and not found.unknown:
        count = "both" if found.known == 2 else f"all {number_words(found.known)}"
        return f"{count} {things}{place} are {state}"
    if len(found.so) <= NAMED:
        return f"{_names(found.so, things)} {_is(found.so)} {state}"
    count = f"{number_words(len(found.so))} of {number_words(found.known)}"
    return f"{count} {things}{place} are {state}"


def _things(outcome: Outcome) -> str:
    """``windows``, ``lights``: the kind that was asked about."""
    named = outcome.call.args.get("device_class")
    return plural(spoken(str(named).replace("_", " "))) if named else kind(outcome.results)


def _place(outcome: Outcome) -> str:
    if said := room(outcome.call):
        return f" in {said}"
    said = floor(outcome.call)
    return f" on {said}" if said else ""


def _names(results: Sequence[DeviceResult], things: str) -> str:
    if len(results) > NAMED:
        return f"{number_words(len(results))} {things}"
    return joined([the(spoken(r.name)) for r in results])


def _is(results: Sequence[DeviceResult]) -> str:
    return are(results[0].name) if len(results) == 1 else "are"


def _each(results: Sequence[DeviceResult], words: Callable[[str], str]) -> str:
    """Nothing in particular was asked: what each is, those that are alike together."""
    alike: dict[str, list[DeviceResult]] = {}
    for result in results:
        known = result.status == "confirmed" and result.state
        alike.setdefault(words(str(result.state)) if known else "", []).append(result)
    told = [
        f"{_names(those, kind(those))} {_is(those)} {state}"
        for state, those in alike.items()
        if state
    ]
    if "" in alike:
        told.append(f"i don't know about {_names(alike[''], kind(alike['']))}")
    return " and ".join(told)
