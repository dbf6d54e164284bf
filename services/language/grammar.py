"""Every sentence this home can be told, as one graph of words in which each path is a call.

    grammar = compile_grammar(home)
    grammar.interpret("set bed light to forty two percent")   # Call or None

The templates are laid out over the home's own names and rooms, so a path cannot name a device
that is not there or give an argument its function lacks. Shared beginnings and endings are one;
numbers are tens and units. A text that means two things is read by name before by room, then by
what is likelier.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from services.language.calls import Call
from services.language.grammar_layout import Meaning, lay_out
from services.language.homeview import HomeView
from services.language.spoken import spoken
from services.language.word_graph import Tag, WordGraphBuilder


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
    def ends(self) -> Mapping[int, tuple[int, float]]:
        """(meaning, log weight) by the node a sentence may end in."""
        rows = zip(self.end_node, self.end_meaning, self.end_weight, strict=True)
        return {int(node): (int(meaning), float(weight)) for node, meaning, weight in rows}

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
            (
                _preference(self.meanings, self.ends[node][0], weight + self.ends[node][1]),
                node,
                arcs,
            )
            for node, weight, arcs in paths
            if node in self.ends
        ]
        if not readings:
            return None
        (_, prior), node, arcs = max(readings)
        return self.call(self.ends[node][0], arcs), prior

    def sentences(self, limit: int) -> Iterator[tuple[str, Call]]:
        """The first ``limit`` sentences in depth-first order, each with its call."""
        stack: list[tuple[int, tuple[int, ...]]] = [(0, ())]
        while stack and limit > 0:
            node, arcs = stack.pop()
            if node in self.ends:
                words = " ".join(self.words[self.word[a]] for a in arcs)
                yield words, self.call(self.ends[node][0], arcs)
                limit -= 1
            stack += [(int(self.target[a]), (*arcs, a)) for a in reversed(self.leaving[node])]


@lru_cache(maxsize=4)
def compile_grammar(home: HomeView) -> Grammar:
    """The graph of a home; the last few homes are kept. About a second for twenty devices."""
    return _flatten(*lay_out(home))


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
        if node.accepts:
            meaning, weight = max(node.accepts, key=lambda end: _preference(meanings, *end))
            ends.append((place[number], meaning))
            end_weights.append(weight)
    source, target, word_, tag_ = np.array(arcs, np.int32).reshape(-1, 4).T.copy()
    end_node, end_meaning = np.array(ends, np.int32).reshape(-1, 2).T.copy()
    return Grammar(
        tuple(words), tuple(tags), tuple(meanings), source, target, word_, tag_,
        np.array(weights, np.float32), end_node, end_meaning, np.array(end_weights, np.float32),
        len(order),
    )  # fmt: skip


def _preference(meanings: Sequence[Meaning], meaning: int, weight: float) -> tuple[bool, float]:
    """A device called "kitchen lights" is meant before the lights of the kitchen."""
    return any(slot == "name" for slot, _ in meanings[meaning].arguments), weight


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
