"""Rates with their intervals, and word error rates. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

Z = 1.96  # 95 % of a normal distribution
RESAMPLES = 2_000
DIGITS = 4


@dataclass(frozen=True)
class Rate:
    """``hits`` of ``n`` independent trials."""

    hits: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.n:
            raise ValueError(f"{self.hits} of {self.n} is no rate")

    @classmethod
    def of(cls, outcomes: Iterable[bool]) -> Rate:
        kept = list(outcomes)
        return cls(sum(kept), len(kept))

    @property
    def value(self) -> float | None:
        """0..1; None where nothing was tried."""
        return round(self.hits / self.n, DIGITS) if self.n else None

    @property
    def ci95(self) -> tuple[float, float]:
        """Wilson's score interval (JASA 22, 1927): honest for few trials and near 0 and 1."""
        if not self.n:
            return (0.0, 1.0)
        p, n = self.hits / self.n, self.n
        middle = p + Z**2 / (2 * n)
        half = Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
        low, high = (middle - half) / (1 + Z**2 / n), (middle + half) / (1 + Z**2 / n)
        # At 0 and n the bound is exact, and rounding must not move it.
        return (
            0.0 if self.hits == 0 else round(low, DIGITS),
            1.0 if self.hits == n else round(high, DIGITS),
        )


@dataclass(frozen=True)
class WordErrors:
    """Errors in one sentence: substitutions, deletions and insertions together."""

    errors: int
    words: int
    """In the reference."""

    @classmethod
    def between(cls, reference: str, heard: str) -> WordErrors:
        said = reference.split()
        return cls(edit_distance(said, heard.split()), len(said))


def edit_distance(reference: Sequence[str], heard: Sequence[str]) -> int:
    """Fewest substitutions, deletions and insertions between two word lists (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for n, word in enumerate(reference, 1):
        above, row = row, [n]
        for at, other in enumerate(heard, 1):
            row.append(min(above[at - 1] + (word != other), above[at] + 1, row[at - 1] + 1))
    return row[-1]


def word_error_rate(sentences: Sequence[WordErrors]) -> float | None:
    """Errors per reference word over all sentences; may exceed 1; None without any word."""
    words = sum(s.words for s in sentences)
    return round(sum(s.errors for s in sentences) / words, DIGITS) if words else None


def word_error_ci95(sentences: Sequence[WordErrors]) -> tuple[float, float] | None:
    """Percentile bootstrap over sentences (words of one sentence are not independent)."""
    kept = [s for s in sentences if s.words]
    if not kept:
        return None
    errors = np.array([s.errors for s in kept])
    words = np.array([s.words for s in kept])
    picks = np.random.default_rng(0).integers(0, len(kept), (RESAMPLES, len(kept)))
    rates = errors[picks].sum(axis=1) / words[picks].sum(axis=1)
    low, high = np.quantile(rates, (0.025, 0.975))
    return (round(float(low), DIGITS), round(float(high), DIGITS))
