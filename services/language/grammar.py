"""Every sentence this home can be told, as one graph of words in which each path is a call.

    grammar = compile_grammar(home)
    grammar.interpret("set bed light to forty two percent")   # Call or None

The templates are laid out over the home's own names and rooms, so a path cannot name a device
that is not there or give an argument its function lacks. Shared beginnings and endings are one;
numbers are tens and units. A few texts mean two things; the likelier reading is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from services.language.calls import Call, Value
from services.language.homeview import HomeView
from services.language.sample import FREQUENCY
from services.language.spoken import spoken
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


@dataclass(frozen=True, eq=False)
class Grammar:
    """The graph. Arc arrays are parallel; nodes are numbered so that every arc leads upwards."""

    words: tuple[str, ...]
    tags: tuple[Tag, ...]
    meanings: tuple[Meaning, ...]
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    word: NDArray[np.int32]
    tag: NDArray[np.int32]
    """-1 where the arc has none."""
    weight: NDArray[np.float32]
    """Natural log of the arc's probability, relative to its node's other ways on."""
    end_node: NDArray[np.int32]
    end_meaning: NDArray[np.int32]
    end_weight: NDArray[np.float32]
    nodes: int

    @cached_property
    def _onward(self) -> dict[tuple[int, str], list[int]]:
        table: dict[tuple[int, str], list[int]] = {}
        for arc, (node, word) in enumerate(zip(self.source, self.word, strict=True)):
            table.setdefault((int(node), self.words[word]), []).append(arc)
        return table

    @cached_property
    def leaving(self) -> tuple[tuple[int, ...], ...]:
        """Arc numbers by the node they leave."""
        table: list[list[int]] = [[] for _ in range(self.nodes)]
        for arc, node in enumerate(self.source):
            table[node].append(arc)
        return tuple(tuple(arcs) for arcs in table)

    @cached_property
    def ends(self) -> Mapping[int, tuple[tuple[int, float], ...]]:
        """(meaning, log weight) by the node a sentence may end in."""
        table: dict[int, tuple[tuple[int, float], ...]] = {}
        for node, meaning, weight in zip(
            self.end_node, self.end_meaning, self.end_weight, strict=True
        ):
            table[int(node)] = (*table.get(int(node), ()), (int(meaning), float(weight)))
        return table

    def call(self, meaning: int, arcs: Iterable[int]) -> Call:
        """The call of a path from the start that ends in one of the meanings."""
        carried = (self.tag[arc] for arc in arcs)
        return self.meanings[meaning].call(self.tags[t] for t in carried if t >= 0)

    def interpret(self, text: str) -> Call | None:
        """The call a text means, read word by word; None when no path says it."""
        read = self.read(text)
        return read[0] if read else None

    def read(self, text: str) -> tuple[Call, float] | None:
        """The call a text means and the log prior of saying it so."""
        paths: list[tuple[int, float, tuple[int, ...]]] = [(0, 0.0, ())]
        for word in spoken(text).split():
            paths = [
                (int(self.target[arc]), weight + float(self.weight[arc]), (*arcs, arc))
                for node, weight, arcs in paths
                for arc in self._onward.get((node, word), ())
            ]
        readings = [
            (weight + end_weight, meaning, arcs)
            for node, weight, arcs in paths
            for meaning, end_weight in self.ends.get(node, ())
        ]
        if not readings:
            return None
        prior, meaning, arcs = max(readings)
        return self.call(meaning, arcs), prior

    def sentences(self, limit: int) -> Iterator[tuple[str, Call]]:
        """The first ``limit`` sentences in depth-first order, each with its call."""
        stack: list[tuple[int, tuple[int, ...]]] = [(0, ())]
        while stack and limit > 0:
            node, arcs = stack.pop()
            for meaning, _ in self.ends.get(node, ())[:limit]:
                yield " ".join(self.words[self.word[a]] for a in arcs), self.call(meaning, arcs)
                limit -= 1
            stack += [(int(self.target[a]), (*arcs, a)) for a in reversed(self.leaving[node])]


@lru_cache(maxsize=4)
def compile_grammar(home: HomeView) -> Grammar:
    """The graph of a home; the last few homes are kept. About a second for twenty devices."""
    return _flatten(*_layout(home))


def _layout(home: HomeView) -> tuple[WordGraphBuilder, int, list[Meaning]]:
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


def _flatten(builder: WordGraphBuilder, root: int, meanings: list[Meaning]) -> Grammar:
    order = _topological(builder, root)
    place = {number: n for n, number in enumerate(order)}
    words: dict[str, int] = {}
    tags: dict[Tag, int] = {}
    arcs: list[tuple[int, int, int, int]] = []
    weights: list[float] = []
    ends: list[tuple[int, int]] = []
    end_weights: list[float] = []
    for number in order:
        node = builder.nodes[number]
        for arc in node.arcs:
            tag = -1 if arc.tag is None else tags.setdefault(arc.tag, len(tags))
            word = words.setdefault(arc.word, len(words))
            arcs.append((place[number], place[arc.target], word, tag))
            weights.append(arc.weight)
        for meaning, weight in node.accepts:
            ends.append((place[number], meaning))
            end_weights.append(weight)
    source, target, word_, tag_ = np.array(arcs, np.int32).reshape(-1, 4).T.copy()
    end_node, end_meaning = np.array(ends, np.int32).reshape(-1, 2).T.copy()
    return Grammar(
        tuple(words), tuple(tags), tuple(meanings), source, target, word_, tag_,
        np.array(weights, np.float32), end_node, end_meaning, np.array(end_weights, np.float32),
        len(order),
    )  # fmt: skip


def _topological(builder: WordGraphBuilder, root: int) -> list[int]:
    """Reachable nodes, every one before those its arcs lead to."""
    done: dict[int, None] = {}
    stack = [(root, False)]
    while stack:
        number, explored = stack.pop()
        if explored:
            done[number] = None
        elif number not in done:
            stack.append((number, True))
            stack += [(a.target, False) for a in builder.nodes[number].arcs if a.target not in done]
    return list(reversed(done))
