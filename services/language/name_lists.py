"""The names of one home as ``hassil`` slot lists, cut down to those a sentence holds.

A home may have a thousand names and most templates hold a ``{name}``, so the names are first found
in the sentence by a trie; only these few are offered to the templates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from hassil.intents import SlotList, TextSlotList
from hassil.trie import Trie

from services.language.folding import fold, plural, singular
from services.language.homeview import EntityView, HomeView

Slots = dict[str, SlotList]


@dataclass(frozen=True)
class _Said:
    """One way to say one thing of a home."""

    slot: str
    text: str
    value: str
    domain: str | None = None
    loose: bool = False
    """Not the name itself, but its plural or singular."""


class NameLists:
    """Names, rooms and floors of one home; build once, ask for each sentence."""

    def __init__(self, view: HomeView, *, spaced: bool) -> None:
        """``spaced``: the language writes spaces, so a name ends where a word ends."""
        self._spaced = spaced
        self._trie = Trie()
        for said in _all_said(view):
            self._trie.insert(said.text, said)

    def found(self, sentence: str) -> tuple[Slots, Slots | None]:
        """Slot lists of what this sentence may name: exactly, and loosely too where that differs.

        Args:
            sentence: lower-case.
        """
        hits = [
            said
            for _, _, said in self._trie.find(sentence, unique=True, word_boundaries=self._spaced)
        ]
        exact = [said for said in hits if not said.loose]
        return _lists(exact), _lists(hits) if len(hits) > len(exact) else None


def _all_said(view: HomeView) -> Iterable[_Said]:
    named: dict[str, list[EntityView]] = defaultdict(list)
    for entity in view.entities:
        for form in dict.fromkeys(fold(n) for n in (entity.name, *entity.aliases)):
            named[form].append(entity)
    for form, entities in named.items():
        # An alias of one thing is its name; one of several stays, so that the home can ask which.
        names = {entity.name for entity in entities}
        value = names.pop() if len(names) == 1 else form
        for domain in sorted({entity.domain for entity in entities}):
            yield from _with_number(_Said("name", form, value, domain))
    for said, area in _said_for(view.areas, view):
        yield from _with_number(_Said("area", said, area))
    for said, floor in _said_for(view.floors, view):
        yield from _with_number(_Said("floor", said, floor))
        short = said.removesuffix(" floor")
        if short != said:
            # Templates say "{floor} [floor]".
            yield _Said("floor", short, floor)


def _said_for(places: Iterable[str], view: HomeView) -> Iterable[tuple[str, str]]:
    """Each place by its own name and by its others."""
    for place in places:
        yield fold(place), place
        for alias, meant in view.place_aliases:
            if meant == place:
                yield fold(alias), place


def _with_number(said: _Said) -> Iterable[_Said]:
    yield said
    for text in dict.fromkeys((singular(said.text), plural(said.text))):
        if text != said.text:
            yield _Said(said.slot, text, said.value, said.domain, loose=True)


def _lists(said: Iterable[_Said]) -> Slots:
    values: dict[str, list[tuple[str, str, dict[str, str]]]] = {"name": [], "area": [], "floor": []}
    for one in said:
        context = {} if one.domain is None else {"domain": one.domain}
        values[one.slot].append((one.text, one.value, context))
    return {
        slot: TextSlotList.from_tuples(tuples, allow_template=False, name=slot)
        for slot, tuples in values.items()
    }
