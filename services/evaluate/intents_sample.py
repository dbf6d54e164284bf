"""Sentences that somebody may say in a home, drawn from the package's own templates.

A seeded random walk chooses a function, one of its slot combinations, a sentence, and the values;
what the sentence means is known from these choices, never from reading it. Devices and places are
drawn from the home, so that there is something for the sentence to do.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import hassil.expression as hx
from hassil.intents import RangeSlotList, RangeType, TextSlotList, WildcardSlotList
from hassil.numbers import get_rbnf_engine
from hassil.parse_expression import parse_sentence

from services.evaluate.intents_home import Home
from services.evaluate.intents_truth import TruePlace, meant
from services.home.entities import Entity
from services.language.calls import Call
from services.language.canonical import call_of
from services.language.folding import fold
from services.language.functions import FUNCTIONS
from services.language.sentences import block_domains, intents, packaged_blocks

SEED = 2026
TRIES = 400
"""Walks until one block is held to have nothing to do in this home."""
FREE_WORDS = {
    "en": ("pizza", "laundry", "green tea", "homework", "bread"),
    "zh-CN": ("披萨", "洗衣", "绿茶", "作业", "面包"),
}
"""Names of timers."""


Combination = tuple[str, str]
"""(function, slot combination of the package)."""


@dataclass(frozen=True)
class Sentence:
    """A sentence, what it calls, and the devices that are meant."""

    text: str
    call: Call
    targets: tuple[Entity, ...] = ()
    combination: Combination = ("", "")


@dataclass
class _Walk:
    """Values chosen so far."""

    slots: dict[str, object] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)


def sentences(home: Home, count: int, seed: int = SEED) -> Iterator[Sentence]:
    """``count`` distinct sentences; combinations in turn, so that rare ones count as much."""
    rng = random.Random(seed)
    sampler = Sampler(home, rng)
    combinations = sampler.combinations()
    seen: set[str] = set()
    made = 0
    while made < count and combinations:
        rng.shuffle(combinations)
        for key in list(combinations):
            drawn = sampler.draw(key, seen)
            if drawn is None:
                combinations.remove(key)
                continue
            seen.add(drawn.text)
            yield drawn
            made += 1
            if made == count:
                return


@lru_cache(maxsize=2048)
def _parsed(template: str) -> hx.Group:
    expression = parse_sentence(template).expression
    assert isinstance(expression, hx.Group)  # noqa: S101 - for the type checker
    return expression


class Sampler:
    """Draws sentences in one home and language."""

    def __init__(self, home: Home, rng: random.Random) -> None:
        self._home, self._rng = home, rng
        known = intents(home.language)
        self._lists, self._rules = known.slot_lists, known.expansion_rules
        self._spaced = not known.settings.ignore_whitespace
        self._blocks: dict[Combination, list[Mapping[str, Any]]] = {}
        for intent, blocks in packaged_blocks(home.language).items():
            for block in blocks:
                if not self._is_here(intent, block):
                    continue
                combination = block.get("metadata", {}).get("slot_combination", "")
                self._blocks.setdefault((intent, combination), []).append(block)

    def _is_here(self, intent: str, block: Mapping[str, Any]) -> bool:
        """Whether the home has any device a block may be about."""
        domains = FUNCTIONS[intent].domains
        about = (block_domains(block) & domains) or domains
        return not domains or any(e.domain in about for e in self._home.offered)

    def combinations(self) -> list[Combination]:
        return sorted(self._blocks)

    def draw(self, key: Combination, seen: set[str]) -> Sentence | None:
        """One new sentence of a slot combination; None when there is nothing (more) to say."""
        for _ in range(TRIES):
            drawn = self._walk(key[0], self._rng.choice(self._blocks[key]))
            if drawn is not None and drawn.text not in seen:
                return Sentence(drawn.text, drawn.call, drawn.targets, key)
        return None

    def _walk(self, intent: str, block: Mapping[str, Any]) -> Sentence | None:
        expression = _parsed(self._rng.choice(block["sentences"]))
        refs = set(expression.list_names(self._rules))
        walk = _Walk(slots=dict(block.get("slots", {})))
        place = TruePlace(domains=block_domains(block) & FUNCTIONS[intent].domains)
        if block.get("requires_context", {}).get("area"):
            walk.slots["area"] = self._home.here
        if not self._bind(refs, block, walk, place):
            return None
        text = self._say(expression, walk)
        call = call_of(intent, walk.slots)
        if call is None:
            return None
        targets = meant(call, place, self._home)
        if FUNCTIONS[intent].domains and not targets:
            return None
        return Sentence(" ".join(text.split()), call, targets)

    def _bind(
        self, refs: set[str], block: Mapping[str, Any], walk: _Walk, place: TruePlace
    ) -> bool:
        """Choose the device, room and floor that the sentence will name."""
        chosen: Entity | None = None
        if "name" in refs:
            domains = block_domains(block)
            able = [e for e in self._home.offered if not domains or e.domain in domains]
            if not able:
                return False
            chosen = self._rng.choice(able)
            place.entity = chosen
            walk.slots["name"] = chosen.name
            walk.said["name"] = self._rng.choice((chosen.name, *chosen.aliases))
        for slot, words in (("area", self._home.view.areas), ("floor", self._home.view.floors)):
            if slot in refs:
                word = getattr(chosen, slot) if chosen else self._rng.choice(words)
                if word is None:
                    return False
                walk.slots[slot], walk.said[slot] = word, self._called(word)
        return True

    def _called(self, place: str) -> str:
        """Templates say ``{floor} [floor]``: then "first" will do."""
        short = fold(place).removesuffix(" floor")
        return self._rng.choice((place, short)) if short != place else place

    def _say(self, node: hx.Expression, walk: _Walk) -> str:
        if isinstance(node, hx.TextChunk):
            return str(node.original_text)
        if isinstance(node, hx.RuleReference):
            return self._say(self._rules[node.rule_name].expression, walk)
        if isinstance(node, hx.ListReference):
            return self._value(node, walk)
        if isinstance(node, hx.Alternative):
            return self._say(self._rng.choice(node.items), walk)
        assert isinstance(node, hx.Group)  # noqa: S101 - for the type checker
        items = list(node.items)
        if isinstance(node, hx.Permutation):
            self._rng.shuffle(items)
        return "".join(self._say(item, walk) for item in items)

    def _value(self, ref: hx.ListReference, walk: _Walk) -> str:
        if ref.list_name in walk.said:
            return walk.said[ref.list_name]
        values = self._lists[ref.list_name]
        if isinstance(values, TextSlotList):
            chosen = self._rng.choice(values.values)
            said = self._say(chosen.text_in, walk)
            walk.slots[ref.slot_name] = said if chosen.value_out is None else chosen.value_out
            return said
        if isinstance(values, WildcardSlotList):
            said = self._rng.choice(FREE_WORDS[self._home.language])
            walk.slots[ref.slot_name] = said
            return said
        assert isinstance(values, RangeSlotList)  # noqa: S101 - for the type checker
        return self._number(ref, values, walk)

    def _number(self, ref: hx.ListReference, values: RangeSlotList, walk: _Walk) -> str:
        number = self._rng.choice(list(values.get_numbers()))
        walk.slots[ref.slot_name] = number * (values.multiplier or 1)
        if values.type is RangeType.TEMPERATURE or self._rng.random() < 0.5:
            return f"{number:g}" if number < 10_000 else str(int(number))
        words = get_rbnf_engine(self._home.language).format_number(number).text_by_ruleset
        return str(words.get("spellout-cardinal") or next(iter(words.values())))
