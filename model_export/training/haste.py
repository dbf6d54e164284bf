"""How people type: a clean sentence made hasty, and sentences that only look like a command.

Everything is drawn from the generator that is passed in. Numbers, ``on`` and ``off`` keep their
letters, for a slip there may turn one command into another.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.language.spoken import number_words, spoken

_TABLES: Mapping[str, Any] = json.loads(Path(__file__).with_name("haste.json").read_text())
_BEFORE: Sequence[str] = _TABLES["before"]
_AFTER: Sequence[str] = _TABLES["after"]
_DROPPED = frozenset(_TABLES["dropped"])
_SHORT: Mapping[str, Sequence[str]] = _TABLES["short"]
_SAME: Mapping[str, Sequence[str]] = _TABLES["same"]
_PARTICLES = frozenset(_TABLES["particles"])
_NOT_BEFORE: Sequence[str] = _TABLES["not_before"]
_NOT_AFTER: Sequence[str] = _TABLES["not_after"]
_NUMBERS = frozenset(word for n in range(101) for word in number_words(n).split())
_KEPT = _NUMBERS | _PARTICLES | {"in", "half", "not", "point", "minus", "lock", "unlock"}
"""Words whose letters stay: one slip would make them another word of the same kind."""
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def typed(rng: random.Random, text: str) -> str:
    """A sentence in spoken form as somebody in a hurry types it, in spoken form again.

    A third comes back with its wording as it was, so that a plain slip is learnt, too.
    """
    words = text
    if rng.random() < 0.67:
        words = _reworded(rng, words)
    if rng.random() < 0.35:
        words = _shortened(rng, words)
    if rng.random() < 0.35:
        words = " ".join(w for w in words.split() if w not in _DROPPED or rng.random() < 0.4)
    if rng.random() < 0.25:
        words = f"{rng.choice(_BEFORE)} {words}"
    if rng.random() < 0.25:
        words = f"{words} {rng.choice(_AFTER)}"
    if rng.random() < 0.6:
        words = _slipped(rng, words, slips=rng.choice((1, 1, 2, 3)))
    return spoken(words) or text


def no_command(rng: random.Random, command: str, other: str) -> str:
    """Words that hold a whole command and must not be obeyed: denied, put off, one of two."""
    style = rng.random()
    if style < 0.4:
        return f"{rng.choice(_NOT_BEFORE)} {command}"
    if style < 0.75:
        return f"{command} {rng.choice(_NOT_AFTER)}"
    return f"{command} {rng.choice(('and', 'and then', 'then', 'or'))} {other}"


def _reworded(rng: random.Random, text: str) -> str:
    """Another verb, then the words around a particle in another order."""
    known = [phrase for phrase in _SAME if _holds(text, phrase)]
    if known and rng.random() < 0.6:
        phrase = rng.choice(known)
        text = _replaced(text, phrase, rng.choice(_SAME[phrase]))
    words = text.split()
    if len(words) > 2 and words[1] in _PARTICLES and rng.random() < 0.6:
        verb, particle, *rest = words
        if rest[0] in ("all", "every"):
            return text
        # "turn on the lamp", "turn the lamp on", "the lamp on".
        return " ".join([verb, *rest, particle] if rng.random() < 0.5 else [*rest, particle])
    if len(words) > 3 and words[0] == "set" and rng.random() < 0.4:
        return " ".join(words[1:])
    return text


def _shortened(rng: random.Random, text: str) -> str:
    for phrase in [p for p in _SHORT if _holds(text, p)]:
        if rng.random() < 0.5:
            text = _replaced(text, phrase, rng.choice(_SHORT[phrase]))
    return text


def _holds(text: str, phrase: str) -> bool:
    return f" {phrase} " in f" {text} "


def _replaced(text: str, phrase: str, by: str) -> str:
    return " ".join(f" {text} ".replace(f" {phrase} ", f" {by} ", 1).split())


def _slipped(rng: random.Random, text: str, slips: int) -> str:
    words = text.split()
    for _ in range(slips):
        n = rng.randrange(len(words))
        if len(words[n]) > 2 and words[n] not in _KEPT:
            words[n] = slip(rng, words[n])
    if len(words) > 2 and rng.random() < 0.06:
        n = rng.randrange(len(words) - 1)
        if not {words[n], words[n + 1]} & _NUMBERS:
            words[n : n + 2] = [words[n] + words[n + 1]]
    return " ".join(words)


def slip(rng: random.Random, word: str) -> str:
    """One slip of the finger in a word of three letters or more; its first letter mostly stays."""
    n = rng.randrange(1 if rng.random() < 0.85 else 0, len(word))
    kind = rng.choice(("drop", "drop", "double", "swap", "swap", "near", "near"))
    if kind == "drop":
        return word[:n] + word[n + 1 :]
    if kind == "double":
        return word[:n] + word[n] + word[n:]
    if kind == "swap":
        n = min(n, len(word) - 2)
        return word[:n] + word[n + 1] + word[n] + word[n + 2 :]
    return word[:n] + _neighbour(rng, word[n]) + word[n + 1 :]


def _neighbour(rng: random.Random, letter: str) -> str:
    """A key beside this one on its row."""
    for row in _ROWS:
        at = row.find(letter)
        if at >= 0:
            return rng.choice(row[max(0, at - 1) : at] + row[at + 1 : at + 2])
    return letter
