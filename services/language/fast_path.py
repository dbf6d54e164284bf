"""The fast path: a sentence becomes a call by templates alone, in a few milliseconds.

Workflow: ``FastPath(language)`` once, ``warm_up(view)`` at start, ``understand(text, view)`` for
each sentence. What no template fits is a miss with its reason; a language model may then be asked.

Ranking follows Home Assistant: what names a device comes before what names a room, the longest
name first; then fewer free words and more literal text. Readings for which this home has nothing
come last.

Limits: one sentence is one command; nothing is remembered of the last one.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from hassil.expression import Group
from hassil.intents import RangeSlotList
from hassil.recognize import RecognizeResult, recognize_all

from services.language.calls import Call, Value
from services.language.canonical import call_of
from services.language.folding import fold, name_form
from services.language.functions import EVERYWHERE, FUNCTIONS
from services.language.homeview import EntityView, HomeView
from services.language.name_lists import NameLists, Slots
from services.language.not_now import commands_nothing_now
from services.language.sentences import intents, numbers
from services.language.several import holds_several

MAX_NAME_WORDS = 3
"""Longer unknown names are taken for talk."""
_DANGLING = frozenset({
    "the", "my", "our", "a", "to", "of", "in", "on", "at", "for", "and", "uh", "um",
})  # fmt: skip
"""No English name ends with these: the sentence was cut off."""
_COMMANDING = frozenset({
    "turn", "switch", "put", "set", "change", "make", "open", "close", "shut", "lock", "unlock",
    "start", "stop", "on", "off", "up", "down", "out", "please", "now", "it", "to", "the",
})  # fmt: skip
"""English words that command: of these alone no name is made, the name is what is missing."""
_DOING = frozenset({"turning", "switching", "opening", "closing", "locking", "unlocking"})
"""No name begins with these: what is to be stopped is the doing."""
_INDEFINITE = frozenset({"a", "an", "some", "any", "another"})
"""Who means a device of the house says which: "a picture of the garden" is something else."""
MAX_CHARS = 300
"""A longer text is no command."""
_NO_ROOM = "\0"
"""Stands for the room we are in where nobody has said which that is: templates ask for one."""

Miss = Literal[
    "empty", "too_long", "not_understood", "no_device", "no_area", "no_floor", "unsupported",
]  # fmt: skip


@dataclass(frozen=True)
class Heard:
    """What a sentence may mean."""

    calls: tuple[Call, ...] = ()
    """Distinct readings, the likeliest first."""
    tied: int = 0
    """So many of the first fit equally well: the words have several meanings."""
    miss: Miss | None = None
    """Why there is none: no template fits, or one does but for an unknown name, room or floor,
    or for a device that cannot do it."""

    @property
    def call(self) -> Call | None:
        return self.calls[0] if self.calls else None


class FastPath:
    """Recognition in one language; remembers the names of the last home it was shown."""

    def __init__(self, language: str = "en") -> None:
        """
        Raises:
            NoSentences: see ``sentences.languages``.
        """
        self.language = language
        self._intents = intents(language)
        self._english = language.partition("-")[0] == "en"
        self._spaced = not self._intents.settings.ignore_whitespace
        self._view: HomeView | None = None
        self._names = NameLists(HomeView(), spaced=self._spaced)
        self._bearers = _Bearers(HomeView())

    def warm_up(self, view: HomeView) -> None:
        """Do now what the first sentences would wait for: parsing, number words, names."""
        collections.deque(recognize_all("zero", numbers(self.language)), maxlen=0)
        self.understand("zero", view)

    def understand(self, text: str, view: HomeView) -> Heard:
        """All readings of a sentence in this home, ranked, or the reason why there is none."""
        if len(text) > MAX_CHARS:
            return Heard(miss="too_long")
        if not any(c.isalnum() for c in text):
            return Heard(miss="empty")
        self._look_at(view)
        return self._first(text, view) or Heard(miss=self._why(text, view))

    def several(self, text: str, view: HomeView) -> bool:
        """Whether a text that is missed holds several commands, each of which would be one."""
        if len(text) > MAX_CHARS:
            return False
        self._look_at(view)
        return holds_several(text, self.language, lambda part: bool(self._first(part, view)))

    def _first(self, text: str, view: HomeView) -> Heard | None:
        """What the first of all tries that fits comes to."""
        for written, slots in self._tries(text):
            heard = self._readings(written, slots, view)
            if heard.calls:
                return heard
        return None

    def _look_at(self, view: HomeView) -> None:
        if view is not self._view and view != self._view:
            self._names = NameLists(view, spaced=self._spaced)
            self._bearers = _Bearers(view)
        self._view = view

    def _tries(self, text: str) -> Iterator[tuple[str, Slots]]:
        """As typed with exact names, as names are kept, then with plurals folded."""
        loosely: list[tuple[str, Slots]] = []
        for written in dict.fromkeys((text.lower().strip(), name_form(text))):
            exact, loose = self._names.found(written)
            yield written, exact
            if loose is not None:
                loosely.append((written, loose))
        yield from loosely

    def _readings(self, text: str, slots: Slots, view: HomeView) -> Heard:
        found: list[tuple[tuple[float, ...], Call]] = []
        here = {"area": view.here or _NO_ROOM}
        for result in recognize_all(text, self._intents, slot_lists=slots, intent_context=here):
            call = self._call(result, view)
            if call is not None:
                found.append(((not self._bearers.has_any(call), *_rank(result)), call))
        found.sort(key=lambda pair: (pair[0], pair[1].json()))
        tied = {call for rank, call in found if rank == found[0][0]}
        return Heard(tuple(dict.fromkeys(call for _, call in found)), tied=len(tied))

    def _call(self, result: RecognizeResult, view: HomeView) -> Call | None:
        slots = {name: entity.value for name, entity in result.entities.items()}
        if slots.get("area") == _NO_ROOM:
            del slots["area"]
        if "name" in slots and "domain" not in slots and self._bearers.shared(slots["name"]):
            # "unlock the front door" must not be taken for its sensor.
            slots["domain"] = result.context.get("domain")
        return call_of(result.intent.name, self._multiplied(result, slots))

    def _multiplied(self, result: RecognizeResult, slots: dict[str, object]) -> dict[str, object]:
        """``hassil`` multiplies numbers in digits only: "down by ten" must not be up by ten."""
        sentence = result.intent_sentence
        assert sentence is not None  # noqa: S101 - set by every match
        assert isinstance(sentence.expression, Group)  # noqa: S101 - sentences are sequences
        for ref in sentence.expression.list_references(self._intents.expansion_rules):
            numbers = self._intents.slot_lists.get(ref.list_name)
            entity = result.entities.get(ref.slot_name)
            if not isinstance(numbers, RangeSlotList) or not numbers.multiplier or not entity:
                continue
            if not any(c.isdigit() for c in entity.text):
                slots[ref.slot_name] = entity.value * numbers.multiplier
        return slots

    def _why(self, text: str, view: HomeView) -> Miss:
        """Whether a command fits but for a name; questions are not tried, they fit anything."""
        exact, _ = self._names.found(text.lower().strip())
        if commands_nothing_now(text, self.language):
            return "not_understood"
        here = {"area": view.here or _NO_ROOM}
        results = recognize_all(
            text, self._intents, slot_lists=exact, intent_context=here,
            allow_unmatched_entities=True,
        )  # fmt: skip
        shortest: dict[str, str] = {}
        for result in results:
            for slot, unknown in self._unknown(result):
                shortest[slot] = min(unknown, shortest.get(slot, unknown), key=len)
        if not shortest:
            return "not_understood"
        if any(fold(unknown) in _all_names(view) for unknown in shortest.values()):
            return "unsupported"
        return _UNKNOWN[_likelier(shortest)]

    def _unknown(self, result: RecognizeResult) -> Iterator[tuple[str, str]]:
        """The one unknown (slot, text) of a command that has words of its own; else nothing."""
        # What an unknown name would be is unknown, too: "domain" is no unknown of its own.
        unknown = [e for e in result.unmatched_entities_list if e.name != "domain"]
        if FUNCTIONS[result.intent.name].effect != "moves" or len(unknown) != 1:
            return
        text = str(getattr(unknown[0], "text", "")).strip()
        words = text.split()
        if unknown[0].name not in _UNKNOWN or not 0 < len(words) <= MAX_NAME_WORDS:
            return
        if self._english and (_INDEFINITE.intersection(words) or _COMMANDING.issuperset(words)):
            return
        if words[-1] in _DANGLING or words[0] in _DOING or result.intent_sentence is None:
            return
        if result.intent_sentence.get_required_clauses(self._intents.expansion_rules):
            yield unknown[0].name, text


_UNKNOWN: dict[str, Miss] = {"name": "no_device", "area": "no_area", "floor": "no_floor"}


def _likelier(shortest: dict[str, str]) -> str:
    """The words between tell a room from a name: "lights in the ballroom", not "lava lamp"."""
    slots = [slot for slot in ("area", "floor") if slot in shortest]
    if "name" in shortest:
        words = len(shortest["name"].split())
        slots = [slot for slot in slots if words - len(shortest[slot].split()) >= 2]
    return slots[0] if slots else "name" if "name" in shortest else next(iter(shortest))


def _all_names(view: HomeView) -> set[str]:
    return {fold(name) for e in view.entities for name in (e.name, *e.aliases)}


class _Bearers:
    """The things of one home by their names: most calls are about one name, not about all."""

    def __init__(self, view: HomeView) -> None:
        self._all = view.entities
        self._by_name: dict[object, list[EntityView]] = {}
        for entity in view.entities:
            for name in {entity.name, *entity.aliases}:
                self._by_name.setdefault(name, []).append(entity)

    def shared(self, name: object) -> bool:
        """Whether things of several kinds bear this name."""
        return len({entity.domain for entity in self._by_name.get(name, ())}) > 1

    def has_any(self, call: Call) -> bool:
        """Whether anything here fits the place of a call; calls without devices always do."""
        domains = FUNCTIONS[call.name].domains
        if not domains:
            return True
        args = call.args
        name = args.get("name")
        bearers = self._all if name is None else self._by_name.get(name, ())
        return any(_fits(args, entity, domains) for entity in bearers)


def _rank(result: RecognizeResult) -> tuple[int, ...]:
    """Lowest first; after ``hassil.recognize.recognize_best`` with the name as best slot."""
    name = result.entities.get("name")
    named = 0 if name is None or name.is_wildcard else len(name.text.strip())
    free = [e for e in result.entities_list if e.is_wildcard]
    return (
        -named,
        len(free),
        -result.text_chunks_matched,
        sum(len(e.text or "") for e in free),
    )


def _fits(args: Mapping[str, Value], entity: EntityView, domains: frozenset[str]) -> bool:
    """Whether all but the name fits."""
    area = args.get("area", EVERYWHERE)
    return (
        entity.domain in domains
        and (area == EVERYWHERE or area == entity.area)
        and args.get("floor", entity.floor) == entity.floor
        and args.get("domain", entity.domain) == entity.domain
        and args.get("device_class", entity.device_class) == entity.device_class
    )
