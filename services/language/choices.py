"""A model may say one of these texts and nothing else: which ids may follow, step by step."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from services.language.calls import Call
from services.language.grammar import Grammar

LIMIT = 60_000
"""Calls of one home that are laid out; one of twenty devices has 14,000, most of them timers."""
_END = -1  # sorts before every id: a text that is the start of another ends there

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Choices:
    """Texts as ids, sorted, each once."""

    texts: tuple[Ids, ...]

    @classmethod
    def of(cls, texts: Iterable[Ids]) -> Choices:
        """Raises ValueError when there is none, or one is empty."""
        found = sorted({(*text, _END) for text in texts})
        if not found or any(len(text) == 1 for text in found):
            raise ValueError("choices need at least one text, and none that is empty")
        return cls(tuple(found))

    def cursor(self) -> ChoiceCursor:
        return ChoiceCursor(self.texts)


class ChoiceCursor:
    """A place in the choices: says what may come next, and is told what came."""

    def __init__(self, texts: tuple[Ids, ...]) -> None:
        self._texts = texts
        self._low, self._high, self._depth = 0, len(texts), 0

    @property
    def next(self) -> list[int]:
        """Ids that may follow, ascending; an empty list where nothing may: the text is complete.

        A text that could also go on is taken as the longer one: no call is the start of another.
        """
        out, at = [], self._low
        while at < self._high:
            token = self._texts[at][self._depth]
            if token != _END:
                out.append(token)
            at = self._first(token + 1, at)
        return out

    def advance(self, token: int) -> None:
        """Raises ValueError when this id may not come."""
        low = self._first(token, self._low)
        high = self._first(token + 1, low)
        if token == _END or low == high:
            raise ValueError("this id is not among the choices")
        self._low, self._high, self._depth = low, high, self._depth + 1

    def _first(self, token: int, low: int) -> int:
        """The first text from ``low`` on whose next id is at least this one."""
        depth = self._depth
        return bisect_left(self._texts, token, low, self._high, key=lambda text: text[depth])


def calls_of(grammar: Grammar, limit: int = LIMIT) -> list[Call]:
    """Every call that a home's sentences can mean, each once, ``limit`` of them at most."""
    arrived: dict[int, set[Ids]] = {0: {()}}
    found: dict[Call, None] = {}
    for node in range(grammar.nodes):  # arcs lead upwards, so all that arrives has arrived
        here = arrived.pop(node, set())
        if node in grammar.ends:
            meaning = grammar.meanings[grammar.ends[node][0]]
            for tags in here:
                if len(found) == limit:
                    return list(found)
                found.setdefault(meaning.call(grammar.tags[tag] for tag in tags))
        for arc in grammar.leaving[node]:
            tag = int(grammar.tag[arc])
            onward = here if tag < 0 else {(*tags, tag) for tags in here}
            arrived.setdefault(int(grammar.target[arc]), set()).update(onward)
    return list(found)
