"""Sentence templates of the calls this appliance understands, as small trees of whole words.

Most come from the ``home-assistant-intents`` package (Open Home Foundation, CC BY 4.0), read with
``hassil``'s own parser; ``spoken_sentences`` says which, and adds what people say beside them.
Written forms (``50%``, ``hour[s]``) are turned into spoken ones first, so a word is always a whole
word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import hassil.expression as hx
from hassil.parse_expression import parse_sentence
from home_assistant_intents import get_intents

from services.language.spoken import spoken
from services.language.spoken_sentences import EXTRA, REPLACED, SELECTED, WIDE, Said


@dataclass(frozen=True)
class Word:
    text: str


@dataclass(frozen=True)
class Slot:
    """A place to be filled: ``source`` names the list of values, ``name`` the argument."""

    source: str
    name: str


@dataclass(frozen=True)
class Seq:
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Alt:
    """One of the items; an empty ``Seq`` among them makes it optional."""

    items: tuple[Node, ...]
    weights: tuple[float, ...]
    """How likely people are to say each; sums to 1."""


Node = Word | Slot | Seq | Alt
EMPTY = Seq(())
BOUND = frozenset({"name", "area", "floor", "cover_classes"})
"""Lists of values that hang on the home."""


@dataclass(frozen=True)
class Template:
    """One way of asking for one function."""

    intent: str
    tree: Node
    domains: frozenset[str] = frozenset()
    """Domains the entity in ``{name}`` may have; empty when there is no name."""
    fixed: tuple[tuple[str, str | int], ...] = ()
    """Arguments the wording implies."""
    slots: frozenset[str] = field(default_factory=frozenset)
    """Arguments the sentence may fill."""
    weight: float = 1.0
    needs: frozenset[str] = frozenset()
    """Domains of which the home, or the room or floor that is named, must have something."""
    topic: str = ""
    """Row of ``sample.FREQUENCY``."""
    sources: frozenset[str] = frozenset()
    """Lists of values the slots are filled from."""

    @property
    def bound(self) -> frozenset[str]:
        """What is bound to this home before a sentence is laid out."""
        return self.sources & BOUND


# Written → spoken, applied to the template text before it is parsed.
_REWRITES = (
    (re.compile(r"\[\(\[ \]%\)\| percent\]"), " [percent]"),
    (re.compile(r"\( \|-\)"), " "),
    (re.compile(r"\((\w+)\|(\w+)\|(\w+)\)\[s\]"), r"(\1|\2|\3|\1s|\2s|\3s)"),
    (re.compile(r"(\w+)\[s\]"), r"(\1|\1s)"),
    (re.compile(r"\[\[of \]"), "[[of] "),
    (re.compile(r"\ban \(hour\|hours\)"), "an hour"),
    (re.compile(r"\ba \(minute\|minutes\)"), "a minute"),
)
_POLITE_BEFORE = (("please", 0.4), ("can you", 0.3), ("could you", 0.2), ("would you", 0.1))
_POLITE_AFTER = (("please", 0.8), ("for me", 0.2))
_OPTIONAL = 0.35  # how often an optional part is said
_POLITE = 0.12  # how often a sentence starts, or ends, politely


@lru_cache(maxsize=4)
def templates(language: str = "en") -> tuple[Template, ...]:
    """All templates of a language (English in this slice), polite forms around each.

    Raises:
        ValueError: no templates exist for the language.
    """
    rules = _rules(language)
    wide = (_wide(said, sentence, rules) for said in WIDE for sentence in said.sentences)
    return (*_from_package(language, rules), *_from_extra(rules, REPLACED), *wide)


@lru_cache(maxsize=4)
def first_templates(language: str = "en") -> tuple[Template, ...]:
    """Those of the first release, which the held-out set is drawn from. Raises as ``templates``."""
    rules = _rules(language)
    return (*_from_package(language, rules), *_from_extra(rules, frozenset()))


def _package(language: str) -> dict[str, Any]:
    data: dict[str, Any] | None = get_intents(language)
    if data is None or language != "en":
        raise ValueError(f"no sentence templates for language {language!r}; 'en' exists")
    return data


def _rules(language: str) -> dict[str, str]:
    return {k: _rewrite(body) for k, body in _package(language)["expansion_rules"].items()}


def _from_package(language: str, rules: dict[str, str]) -> Iterator[Template]:
    intents = _package(language)["intents"]
    for (intent, combination), domains in SELECTED.items():
        for block in intents[intent]["data"]:
            if block.get("metadata", {}).get("slot_combination") != combination:
                continue
            allowed = _block_domains(block)
            if domains and allowed and not domains & allowed:
                continue
            fixed = _fixed(intent, block.get("slots", {}))
            share = 1.0 / len(block["sentences"])
            for sentence in block["sentences"]:
                yield _template(intent, sentence, domains & allowed, fixed, rules, share)


def _from_extra(rules: dict[str, str], without: frozenset[str]) -> Iterator[Template]:
    for intent, sentence, domains, fixed in EXTRA:
        if sentence not in without:
            yield _template(intent, sentence, domains, fixed, rules, 0.3)


def _wide(said: Said, sentence: str, rules: dict[str, str]) -> Template:
    weight = said.weight / len(said.sentences)
    made = _template(said.intent, sentence, said.needs, said.fixed, rules, weight)
    return replace(made, needs=said.needs, topic=said.topic)


def _block_domains(block: dict[str, Any]) -> frozenset[str]:
    needed = block.get("requires_context", {}).get("domain", block.get("slots", {}).get("domain"))
    if needed is None:
        return frozenset()
    return frozenset([needed] if isinstance(needed, str) else needed)


def _fixed(intent: str, slots: dict[str, Any]) -> tuple[tuple[str, str | int], ...]:
    # A light's brightness or colour needs no domain: only lights have them.
    keep = {k: v for k, v in slots.items() if not (k == "domain" and intent == "HassLightSet")}
    return tuple(sorted(keep.items()))


def _template(
    intent: str,
    sentence: str,
    domains: frozenset[str],
    fixed: tuple[tuple[str, str | int], ...],
    rules: dict[str, str],
    weight: float,
) -> Template:
    tree = _parse(sentence, tuple(sorted(rules.items())))
    slots = frozenset(slot.name for slot in _slots(tree))
    sources = frozenset(slot.source for slot in _slots(tree))
    named = domains if "name" in sources else frozenset()
    # The first templates name an area for its lights alone.
    lit = frozenset({"light"}) if "area" in sources else frozenset()
    return Template(intent, polite(tree), named, fixed, slots, weight, lit, intent, sources)


def polite(tree: Node) -> Node:
    """The sentence with polite words before or after it, which cost a little."""
    return Seq((_optional(_POLITE_BEFORE, _POLITE), tree, _optional(_POLITE_AFTER, _POLITE)))


def _optional(choices: tuple[tuple[str, float], ...], share: float) -> Alt:
    items = tuple(Seq(tuple(Word(w) for w in text.split())) for text, _ in choices)
    return Alt((EMPTY, *items), (1 - share, *(share * p for _, p in choices)))


def _slots(node: Node) -> Iterator[Slot]:
    if isinstance(node, Slot):
        yield node
    elif isinstance(node, Seq | Alt):
        for item in node.items:
            yield from _slots(item)


def _rewrite(text: str) -> str:
    for pattern, spoken_form in _REWRITES:
        text = pattern.sub(spoken_form, text)
    return text


def _parse(text: str, rules: tuple[tuple[str, str], ...]) -> Node:
    return _convert(parse_sentence(_rewrite(text)).expression, dict(rules))


def _convert(node: hx.Expression, rules: dict[str, str]) -> Node:
    if isinstance(node, hx.TextChunk):
        return Seq(tuple(Word(w) for w in spoken(node.text).split()))
    if isinstance(node, hx.ListReference):
        return Slot(node.list_name, node.slot_name)
    if isinstance(node, hx.RuleReference):
        return _parse(rules[node.rule_name], tuple(sorted(rules.items())))
    if isinstance(node, hx.Permutation):
        first, second = (_convert(item, rules) for item in node.items if not _blank(item))
        return Alt((Seq((first, second)), Seq((second, first))), (0.5, 0.5))
    if isinstance(node, hx.Alternative):
        return _alternative([_convert(item, rules) for item in node.items], node.is_optional)
    if isinstance(node, hx.Group):
        return Seq(tuple(c for c in (_convert(i, rules) for i in node.items) if c != EMPTY))
    raise TypeError(f"unknown template part {type(node).__name__}")


def _blank(node: hx.Expression) -> bool:
    return isinstance(node, hx.TextChunk) and not node.text.strip()


def _alternative(items: list[Node], is_optional: bool) -> Alt:
    """Earlier alternatives are the more usual ones; an optional part is said now and then."""
    said = [i for i in items if i not in (EMPTY, Seq((EMPTY,)))]
    share = _OPTIONAL if is_optional or len(said) < len(items) else 1.0
    total = sum(1 / (n + 1) for n in range(len(said)))
    weights = [share / (n + 1) / total for n in range(len(said))]
    if share < 1.0:
        return Alt((*said, EMPTY), (*weights, 1 - share))
    return Alt(tuple(said), tuple(weights))
