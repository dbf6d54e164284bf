"""Lays the templates out over one home: its sentences as a graph of words, each with a meaning."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from services.language.calls import Call, Value
from services.language.homeview import HomeView
from services.language.sample import FREQUENCY
from services.language.templates import Node, Seq, Slot, Template, Word
from services.language.values import Bound, bindings, fixed_values, meant
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
        return meant(self.intent, arguments)


def lay_out(
    home: HomeView, among: tuple[Template, ...]
) -> tuple[WordGraphBuilder, int, list[Meaning]]:
    """The builder, the node every sentence starts from, and the meanings of the ends."""
    builder = WordGraphBuilder()
    meanings: dict[Meaning, int] = {}
    starts: list[tuple[float, int]] = []
    total: dict[str, float] = {}
    for template in among:
        total[template.topic] = total.get(template.topic, 0.0) + template.weight
    for template in among:
        share = FREQUENCY[template.topic] / total[template.topic]
        for likelihood, bound in bindings(template, home):
            arguments = dict(template.fixed)
            arguments |= {_ARGUMENT.get(k, k): v for k, (_, v) in bound.items() if v is not None}
            meaning = Meaning(template.intent, tuple(sorted(arguments.items())))
            end = builder.end(meanings.setdefault(meaning, len(meanings)))
            start = _Layer(builder, bound).node(template.tree, end)
            starts.append((share * template.weight * likelihood, start))
    # A home without covers hears the more of all else.
    mass = sum(share for share, _ in starts)
    likely = [(math.log(share / mass), start) for share, start in starts]
    return builder, builder.union(likely), list(meanings)


_ARGUMENT = {"cover_classes": "device_class"}
"""Source → argument, where they differ."""


class _Layer:
    """Lays one template with its bound names into the graph."""

    def __init__(self, builder: WordGraphBuilder, bound: Bound) -> None:
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
