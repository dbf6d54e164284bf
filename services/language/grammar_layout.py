"""Lays the templates out over one home: its sentences as a graph of words, each with a meaning."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.language.calls import Call, Value
from services.language.homeview import HomeView
from services.language.sample import FREQUENCY
from services.language.templates import Node, Seq, Slot, Template, Word, templates
from services.language.values import Filling, fits, fixed_values, lit_areas, names
from services.language.word_graph import Tag, WordGraphBuilder


@dataclass(frozen=True)
class Meaning:
    """What all paths to one kind of end share: the function and the arguments bound before."""

    intent: str
    arguments: tuple[tuple[str, Value], ...]

    def call(self, tags: Iterable[Tag]) -> Call:
        """The call of one path: numbers of one argument add up, words replace."""
        arguments = dict(self.arguments)
        for name, value in tags:
            known = arguments.get(name)
            both = isinstance(value, int) and isinstance(known, int)
            arguments[name] = known + value if both else value  # type: ignore[operator]
        return Call.of(self.intent, **arguments)


def lay_out(home: HomeView) -> tuple[WordGraphBuilder, int, list[Meaning]]:
    """The builder, the node every sentence starts from, and the meanings of the ends."""
    builder = WordGraphBuilder()
    meanings: dict[Meaning, int] = {}
    starts: list[tuple[float, int]] = []
    total: dict[str, float] = {}
    for template in templates():
        total[template.intent] = total.get(template.intent, 0.0) + template.weight
    frequencies = sum(FREQUENCY.get(intent, 1.0) for intent in total)
    for template in templates():
        share = FREQUENCY.get(template.intent, 1.0) / frequencies / total[template.intent]
        for likelihood, bound in _bindings(template, home):
            arguments = dict(template.fixed)
            arguments |= {slot: value for slot, (_, value) in bound.items() if value is not None}
            meaning = Meaning(template.intent, tuple(sorted(arguments.items())))
            end = builder.end(meanings.setdefault(meaning, len(meanings)))
            start = _Layer(builder, bound).node(template.tree, end)
            starts.append((math.log(share * template.weight * likelihood), start))
    return builder, builder.union(starts), list(meanings)


def _bindings(template: Template, home: HomeView) -> list[tuple[float, dict[str, Filling]]]:
    """All ways to bind a template's name or area to this home, each with its share."""
    if "name" in template.slots:
        able = [e for e in home.entities if fits(template, e)]
        return [
            (1.0 / len(able) / len(names(e)), {"name": (said, e.name)})
            for e in able
            for said in names(e)
        ]
    if "area" in template.slots:
        areas = lit_areas(home)
        return [(1.0 / len(areas), {"area": (area, area)}) for area in areas]
    return [(1.0, {})]


class _Layer:
    """Lays one template with its bound names into the graph."""

    def __init__(self, builder: WordGraphBuilder, bound: Mapping[str, Filling]) -> None:
        self._builder = builder
        self._bound = bound
        self._laid: dict[tuple[int, int], int] = {}

    def node(self, tree: Node, then: int) -> int:
        """The node from which this tree is said and then what follows it."""
        if isinstance(tree, Word):
            return self._builder.word(tree.text, then)
        if isinstance(tree, Seq):
            for item in reversed(tree.items):
                then = self.node(item, then)
            return then
        key = (id(tree), then)
        if key not in self._laid:
            self._laid[key] = self._choice(tree, then)
        return self._laid[key]

    def _choice(self, tree: Node, then: int) -> int:
        if isinstance(tree, Slot):
            if tree.source in self._bound:
                return self._builder.phrase(self._bound[tree.source][0].split(), then)
            values = fixed_values(tree.source)
            each = -math.log(len(values))
            return self._builder.union(
                (each, self._value(tree.name, words.split(), value, then))
                for words, value in values
            )
        assert not isinstance(tree, Word | Seq)  # noqa: S101 - for the type checker
        return self._builder.union(
            (math.log(weight), self.node(item, then))
            for item, weight in zip(tree.items, tree.weights, strict=True)
            if weight > 0
        )

    def _value(self, slot: str, words: list[str], value: Value | None, then: int) -> int:
        if value is None:
            return self._builder.phrase(words, then)
        if isinstance(value, int) and 20 < value < 100 and len(words) == 2:
            units = self._builder.word(words[1], then, (slot, value % 10))
            return self._builder.word(words[0], units, (slot, value - value % 10))
        return self._builder.phrase(words[:-1], self._builder.word(words[-1], then, (slot, value)))
