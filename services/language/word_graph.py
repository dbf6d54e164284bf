"""An acyclic graph of words, built from the end so that equal endings are one and the same node.

Nodes are interned: two with the same arcs and the same acceptance are one. ``union`` merges
alternatives word by word, so equal beginnings are shared too, and no empty arcs ever arise.
Weights are log probabilities; a path's weight is the sum of its arcs' and its acceptance's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Tag = tuple[str, str | int]
"""(argument, value): numbers of one argument add up along a path, so ``forty`` + ``two`` = 42."""

_STEP = 1e-4  # weights are rounded to this, or equal endings would differ by rounding noise


@dataclass(frozen=True, slots=True)
class WordArc:
    word: str
    tag: Tag | None
    weight: float
    target: int


@dataclass(frozen=True, slots=True)
class WordNode:
    arcs: tuple[WordArc, ...]
    accepts: tuple[tuple[int, float], ...]
    """(what a path ending here means, log weight)."""


Weighted = tuple[float, int]
"""(log weight, node)."""


class WordGraphBuilder:
    """Interned nodes and the operations that make new ones; nodes are known by number."""

    def __init__(self) -> None:
        self.nodes: list[WordNode] = []
        self._known: dict[WordNode, int] = {}
        self._unions: dict[tuple[Weighted, ...], int] = {}

    def end(self, meaning: int) -> int:
        """The node at which a sentence of this meaning is complete."""
        return self._intern((), ((meaning, 0.0),))

    def word(self, word: str, then: int, tag: Tag | None = None) -> int:
        return self._intern((WordArc(word, tag, 0.0, then),), ())

    def phrase(self, words: Sequence[str], then: int) -> int:
        for word in reversed(words):
            then = self.word(word, then)
        return then

    def union(self, parts: Iterable[Weighted]) -> int:
        """Any one of the nodes, each at its weight."""
        key = _folded(parts)
        if len(key) == 1 and key[0][0] == 0.0:
            return key[0][1]
        if key not in self._unions:
            self._unions[key] = self._merge(key)
        return self._unions[key]

    def _merge(self, parts: tuple[Weighted, ...]) -> int:
        onward: dict[tuple[str, Tag | None], list[Weighted]] = {}
        accepts: dict[int, float] = {}
        for weight, number in parts:
            node = self.nodes[number]
            for arc in node.arcs:
                onward.setdefault((arc.word, arc.tag), []).append((weight + arc.weight, arc.target))
            for meaning, accepted in node.accepts:
                accepts[meaning] = _plus(accepts.get(meaning, -math.inf), weight + accepted)
        arcs = []
        for (word, tag), targets in onward.items():
            best = max(weight for weight, _ in targets)
            target = self.union((weight - best, number) for weight, number in targets)
            arcs.append(WordArc(word, tag, best, target))
        return self._intern(tuple(arcs), tuple(accepts.items()))

    def _intern(self, arcs: tuple[WordArc, ...], accepts: tuple[tuple[int, float], ...]) -> int:
        key = WordNode(
            tuple(WordArc(a.word, a.tag, _round(a.weight), a.target) for a in arcs),
            tuple((m, _round(w)) for m, w in accepts),
        )
        number = self._known.setdefault(key, len(self.nodes))
        if number == len(self.nodes):
            self.nodes.append(key)
        return number


def _folded(parts: Iterable[Weighted]) -> tuple[Weighted, ...]:
    """The same alternatives with each node once, in order of first sight."""
    total: dict[int, float] = {}
    for weight, number in parts:
        total[number] = _plus(total[number], weight) if number in total else weight
    return tuple((_round(weight), number) for number, weight in total.items())


def _plus(a: float, b: float) -> float:
    """log(exp a + exp b)."""
    high, low = max(a, b), min(a, b)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def _round(weight: float) -> float:
    return round(weight / _STEP) * _STEP
