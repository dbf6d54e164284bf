"""Whether a typed word may be another one with a slip or two of the fingers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from services.language.folding import singular

_SHORT = {
    "lite": "light", "lites": "lights", "temp": "temperature", "temps": "temperature",
    "min": "minutes", "mins": "minutes", "sec": "seconds", "secs": "seconds", "hr": "hour",
    "hrs": "hours", "vol": "volume", "tv": "television", "telly": "television", "colour": "color",
    "livingroom": "living room", "bdrm": "bedroom", "thermo": "thermostat",
}  # fmt: skip
"""Ways of writing that are no slips."""
_SURE = 3
"""Words of so few letters must be typed right: too many others are one slip away."""
_LONG = 7
"""From so many letters on two slips are forgiven, else one."""


def plain_words(text: str) -> tuple[str, ...]:
    """The words of a text in spoken form, short ways of writing written out."""
    return tuple(w for word in text.split() for w in _SHORT.get(word, word).split())


@lru_cache(maxsize=16_384)
def near(typed: str, meant: str) -> bool:
    """Whether ``typed`` is ``meant``, its singular or plural, or a slip or two away from it."""
    typed, meant = singular(typed), singular(meant)
    if typed == meant:
        return True
    if min(len(typed), len(meant)) <= _SURE:
        return False
    return _slips(typed, meant) <= (2 if len(meant) >= _LONG else 1)


def holds(words: Sequence[str], phrase: str) -> frozenset[int]:
    """Places of the words that stand for a phrase's; empty where one of them is missing.

    Two words typed as one are found, and one typed as two.
    """
    found: set[int] = set()
    wanted = phrase.split()
    glued = "".join(wanted)
    for n, word in enumerate(words):
        if len(wanted) > 1 and near(word, glued):
            return frozenset({n})
        if n and near(words[n - 1] + word, glued):
            return frozenset({n - 1, n})
    for part in wanted:
        free = [n for n in range(len(words)) if n not in found and near(words[n], part)]
        if not free:
            return frozenset()
        found.add(next((n for n in free if words[n] == part), free[0]))
    return frozenset(found)


def any_near(words: Iterable[str], meant: Iterable[str]) -> bool:
    wanted = tuple(meant)
    return any(near(word, other) for word in words for other in wanted)


def _slips(one: str, other: str) -> int:
    """Letters dropped, added, changed or swapped with the next: optimal string alignment."""
    if abs(len(one) - len(other)) > 2:
        return 3
    rows = [list(range(len(other) + 1))]
    for i, a in enumerate(one, 1):
        row, last = [i], rows[-1]
        for j, b in enumerate(other, 1):
            cost = min(last[j] + 1, row[-1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]
