"""Every sentence this home can be told, as one graph of words in which each path is a call.

    grammar = compile_grammar(home)
    grammar.interpret("set bed light to forty two percent")   # Call or None

The templates are laid out over the home's own names and rooms, so a path cannot name a device
that is not there or give an argument its function lacks. Shared beginnings and endings are one;
numbers are tens and units. A text that means two things is read by name before by room, then by
what is likelier.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from services.language.calls import Call
from services.language.grammar_layout import Meaning, lay_out
from services.language.homeview import HomeView
from services.language.spoken import spoken
from services.language.templates import first_templates, templates
from services.language.word_graph import Tag, WordGraphBuilder

Path = tuple[int, ...]
"""Arc numbers from the start on."""


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

    def said(self, path: Path) -> Call:
        """The call of a complete path.

        Raises:
            KeyError: the path does not end where a sentence may.
        """
        carried = (self.tag[arc] for arc in path)
        meaning, _ = self.ends[self._last(path)]
        return self.meanings[meaning].call(self.tags[tag] for tag in carried if tag >= 0)

    def text(self, path: Path) -> str:
        return " ".join(self.words[self.word[arc]] for arc in path)

    def prior(self, path: Path) -> float:
        """Natural log of a complete path's probability."""
        return float(self.weight[list(path)].sum()) + self.ends[self._last(path)][1]

    def variants(self, path: Path) -> Iterator[Path]:
        """The same sentence with every other value in each of its slots of numbers and colours."""
        slots = {self._slot(arc) for arc in path} - {None}
        for slot in slots:
            here = [n for n, arc in enumerate(path) if self._slot(arc) == slot]
            first, after = here[0], here[-1] + 1
            for value in self._values(int(self.source[path[first]]), slot):
                yield from self._follow(path[:first] + value, path[after:])

    def _values(self, node: int, slot: str | None) -> Iterator[Path]:
        """All ways to say a value of this slot from a node on, two words at most."""
        for arc in self.leaving[node]:
            if self._slot(arc) == slot:
                yield (arc,)
            for second in self.leaving[self.target[arc]]:
                if self._slot(second) == slot and self._slot(arc) in (slot, None):
                    yield (arc, second)

    def _follow(self, path: Path, model: Path) -> Iterator[Path]:
        """The path, continued by arcs of the same words and tags as the model's."""
        for arc in model:
            same = self._onward.get((self._last(path), self.words[self.word[arc]]), [])
            onward = [a for a in same if self.tag[a] == self.tag[arc]]
            if not onward:
                return
            path = (*path, onward[0])
        if self._last(path) in self.ends:
            yield path

    def _slot(self, arc: int) -> str | None:
        tag = self.tag[arc]
        return self.tags[tag][0] if tag >= 0 else None

    def _last(self, path: Path) -> int:
        return int(self.target[path[-1]]) if path else 0

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
        (_, prior), _, arcs = max(readings)
        return self.said(arcs), prior

    def sentences(self, limit: int) -> Iterator[tuple[str, Call]]:
        """The first ``limit`` sentences in depth-first order, each with its call."""
        stack: list[tuple[int, tuple[int, ...]]] = [(0, ())]
        while stack and limit > 0:
            node, arcs = stack.pop()
            if node in self.ends:
                yield self.text(arcs), self.said(arcs)
                limit -= 1
            stack += [(int(self.target[a]), (*arcs, a)) for a in reversed(self.leaving[node])]


@lru_cache(maxsize=4)
def compile_grammar(home: HomeView) -> Grammar:
    """The graph of a home; the last few homes are kept. About a second for twenty devices."""
    return _flatten(*lay_out(home, templates()))


@lru_cache(maxsize=4)
def first_grammar(home: HomeView) -> Grammar:
    """The graph of the sentences that the held-out set is drawn from."""
    return _flatten(*lay_out(home, first_templates()))


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
