"""A home's grammar as the finite-state transitions a word recogniser decodes with.

The very graph the CTC search runs through, so both recognisers allow the same sentences with the
same priors; polite words cost what they cost there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.language.grammar import Grammar

Transition = tuple[int, int, float] | tuple[int, int, float, str]
"""(from, to, probability[, word]); without a word nothing is said."""

SILENCE = "<sil>"
_SILENCE_SHARE = 0.1
_LEAST = 1e-30  # probability 0 is no transition


@dataclass(frozen=True)
class FiniteState:
    """States are numbers; a path from 0 to ``final`` is one sentence."""

    final: int
    transitions: tuple[Transition, ...]


def of_grammar(grammar: Grammar) -> FiniteState:
    """The whole grammar; silence may come before the first word and after the last."""
    final = grammar.nodes
    made: list[Transition] = [(0, 0, _SILENCE_SHARE, SILENCE)]
    columns = (grammar.source, grammar.target, grammar.word, np.exp(grammar.weight))
    for source, target, word, share in zip(*(c.tolist() for c in columns), strict=True):
        made.append((source, target, min(max(share, _LEAST), 1.0), grammar.words[word]))
    for node, share in zip(
        grammar.end_node.tolist(), np.exp(grammar.end_weight).tolist(), strict=True
    ):
        made.append((node, node, _SILENCE_SHARE, SILENCE))
        made.append((node, final, min(max(share, _LEAST), 1.0)))
    return FiniteState(final, tuple(made))


def of_texts(texts: Sequence[str]) -> FiniteState:
    """Just these sentences, all equally likely; words are separated by spaces."""
    made: list[Transition] = [(0, 0, _SILENCE_SHARE, SILENCE)]
    state = 1  # 1 is the final state
    for text in texts:
        previous, words = 0, text.split()
        for place, word in enumerate(words):
            state += 1
            target = 1 if place == len(words) - 1 else state
            made.append((previous, target, 1.0, word))
            previous = target
    made.append((1, 1, _SILENCE_SHARE, SILENCE))
    return FiniteState(1, tuple(made))
