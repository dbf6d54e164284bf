"""The likeliest of a few calls by a language model's own probabilities, best first.

The calls are laid out as a tree of ids, so that what they share is read once, and nothing outside
the tree can be written. A path is as likely as the model finds each of its ids among *all* ids:
a call the model would not have written by itself stays unlikely, however few there are.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from device.speech.language_model import log_softmax

Floats = npt.NDArray[np.float32]
Ids = Sequence[int]


class Reader(Protocol):
    """A language model's cache; see ``LanguageModel``."""

    @property
    def length(self) -> int: ...

    def read(self, ids: Ids) -> Floats: ...

    def cut(self, length: int) -> None: ...


@dataclass(frozen=True)
class Written:
    """One of the options."""

    option: int
    """Its place among those offered."""
    mean: float
    """Natural log probability of an id, on average."""
    total: float


@dataclass
class _Node:
    children: dict[int, _Node] = field(default_factory=dict)
    option: int | None = None


def likeliest(
    lm: Reader,
    first: Floats,
    options: Sequence[Ids],
    *,
    margin: float,
    spent: Callable[[], bool],
) -> tuple[Written, ...]:
    """The likeliest option, and with it each that is likely within ``margin`` (nats) of it.

    The cache is left as it was.

    Args:
        first: logits that the last ``read`` returned.
        options: ids each; none may be the beginning of another.
        spent: asked before each read; True ends the search, which then has found nothing.
    """
    search = _Search(lm, first, options)
    try:
        return search.run(margin, spent)
    finally:
        lm.cut(search.base)


class _Search:
    def __init__(self, lm: Reader, first: Floats, options: Sequence[Ids]) -> None:
        self.lm, self.base = lm, lm.length
        self._options = options
        self._in_cache: tuple[int, ...] = ()
        self._logits: Mapping[tuple[int, ...], Floats] = {(): first}
        self._open: list[tuple[float, tuple[int, ...], _Node]] = [(0.0, (), _tree(options))]

    def run(self, margin: float, spent: Callable[[], bool]) -> tuple[Written, ...]:
        found: list[Written] = []
        while self._open:
            cost, path, node = heapq.heappop(self._open)
            if found and -cost < found[0].total - margin:
                break
            if node.option is not None:
                found.append(Written(node.option, -cost / len(path), -cost))
                continue
            if spent():
                return ()
            self._widen(cost, path, node)
        return tuple(found)

    def _widen(self, cost: float, path: tuple[int, ...], node: _Node) -> None:
        each = log_softmax(self._after(path))
        for token, child in node.children.items():
            # Ids differ, so two paths are never equal and nodes are never compared.
            heapq.heappush(self._open, (cost - float(each[token]), (*path, token), child))

    def _after(self, path: tuple[int, ...]) -> Floats:
        """Logits after a path; of what the cache holds only the rest is read."""
        if path in self._logits:
            return self._logits[path]
        shared = 0
        for one, other in zip(path[:-1], self._in_cache, strict=False):
            if one != other:
                break
            shared += 1
        self.lm.cut(self.base + shared)
        self._in_cache = path
        return self.lm.read(path[shared:])


def _tree(options: Sequence[Ids]) -> _Node:
    root = _Node()
    for number, ids in enumerate(options):
        node = root
        for token in ids:
            node = node.children.setdefault(token, _Node())
        node.option = number
    return root
