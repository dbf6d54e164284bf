"""Where each letter of a grammar's words lies in the search's arrays.

A *spelling* is one word in front of one node with one tag: arcs that agree in these share its
states. States lie letter position by letter position (all first letters, then all second ones
…), spellings ordered from the longest to the shortest, so that the letters one position on are
always the front part of the block before: following a letter is slicing, not gathering.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from services.language.alphabet import encode
from services.language.grammar import Grammar

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Layout:
    """Index arrays; a spelling is known by its number, 0 being one of the longest words."""

    count: int
    """Spellings."""
    states: int
    """Letters of all spellings."""
    symbols: NDArray[np.intp]
    """Symbol of each state."""
    blocks: tuple[tuple[int, int, int], ...]
    """(first state, first state of the block before or -1, spellings as long as this)."""
    doubled: NDArray[np.intp]
    """States whose letter repeats the one before."""
    doubled_from: NDArray[np.intp]
    numbers: Numbers
    """0..count-1."""
    arc_order: NDArray[np.intp]
    """Arcs of the grammar, ordered by spelling."""
    arc_source: NDArray[np.intp]
    entry_starts: NDArray[np.intp]
    """Where each spelling's arcs begin in ``arc_order``."""
    last: NDArray[np.intp]
    """Last letters of all spellings, ordered by the node they lead to."""
    last_target: NDArray[np.intp]
    """The node each of ``last`` leads to."""
    arrival_nodes: NDArray[np.intp]
    arrival_starts: NDArray[np.intp]
    """Where each arrival node's spellings begin in ``last``."""
    target: NDArray[np.intp]
    """Node each spelling leads to."""
    arcs: dict[tuple[int, int], int]
    """(source node, spelling) → arc."""


@lru_cache(maxsize=4)
def lay_states(grammar: Grammar) -> Layout:
    """The arrays of one grammar, kept for the last few; a tenth of a second for fifteen devices."""
    letters = [encode(word) for word in grammar.words]
    lengths = np.array([len(word) for word in letters], np.intp)
    spellings, spelling_of = np.unique(
        np.stack([-lengths[grammar.word], grammar.word, grammar.tag, grammar.target], axis=1),
        axis=0,
        return_inverse=True,
    )
    spelling_of = spelling_of.reshape(-1)
    arc_order = np.argsort(spelling_of, kind="stable")
    length, word, target = -spellings[:, 0], spellings[:, 1], spellings[:, 3]
    sizes = [int((length > k).sum()) for k in range(int(length.max(initial=0)))]
    firsts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)
    symbols = np.concatenate(
        [np.array([letters[w][k] for w in word[:n]], np.intp) for k, n in enumerate(sizes)]
    )
    doubled = _doubled(symbols, firsts, sizes)
    by_target = np.argsort(target, kind="stable")
    arrivals = target[by_target]
    arrival_starts = np.flatnonzero(np.r_[True, arrivals[1:] != arrivals[:-1]])
    places = zip(grammar.source.tolist(), spelling_of.tolist(), strict=True)
    return Layout(
        count=len(spellings),
        states=int(firsts[-1]),
        symbols=symbols,
        blocks=tuple(
            (int(firsts[k]), int(firsts[k - 1]) if k else -1, n) for k, n in enumerate(sizes)
        ),
        doubled=doubled[0],
        doubled_from=doubled[1],
        numbers=np.arange(len(spellings), dtype=np.int64),
        arc_order=arc_order,
        arc_source=grammar.source[arc_order].astype(np.intp),
        entry_starts=np.searchsorted(spelling_of[arc_order], np.arange(len(spellings))),
        last=(firsts[length - 1] + np.arange(len(spellings)))[by_target],
        last_target=arrivals.astype(np.intp),
        arrival_nodes=arrivals[arrival_starts].astype(np.intp),
        arrival_starts=arrival_starts,
        target=target.astype(np.intp),
        arcs={place: arc for arc, place in enumerate(places)},
    )


def _doubled(
    symbols: NDArray[np.intp], firsts: NDArray[np.intp], sizes: list[int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """States that repeat the letter before them, and those letters' states."""
    here = [np.zeros(0, np.intp)]
    there = [np.zeros(0, np.intp)]
    for k in range(1, len(sizes)):
        now = firsts[k] + np.arange(sizes[k])
        before = firsts[k - 1] + np.arange(sizes[k])
        same = symbols[now] == symbols[before]
        here.append(now[same])
        there.append(before[same])
    return np.concatenate(here), np.concatenate(there)
