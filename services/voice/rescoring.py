"""Which sentence was meant: every judge's score of every candidate, weighed; or none of them.

Judges: the tokenizer's CTC head (how well the sound fits the letters), the language model (how
likely it writes this transcript and this call after these codes), the grammar's prior, and a
second recogniser that has heard people. All scores are natural log probabilities. Pure: no engine
is touched here, so weights can be tuned from recorded scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from services.language.calls import Call


@dataclass(frozen=True)
class Scored:
    """A candidate and what each judge thinks of it."""

    text: str
    call: Call
    ctc: float
    """Relative to the best unconstrained reading of the same sound: 0 is a perfect fit."""
    lm: float
    prior: float
    opinion: float | None
    """None: the second recogniser did not run, or did not think of this call."""


@dataclass(frozen=True)
class Weights:
    """How much each judge counts, and when nobody is convinced; shipped in the bundle."""

    ctc: float = 1.0
    lm: float = 0.5
    prior: float = 0.3
    opinion: float = 1.0
    """Reward for the candidate the second recogniser chose, in nats per unit of its score."""
    unheard: float = -4.0
    """Opinion of a call that the second recogniser did not think of."""
    reject: float = -1.1
    """Fit per letter below which nothing was meant for the home."""

    @classmethod
    def of(cls, table: dict[str, float]) -> Weights:
        """From a bundle's manifest.

        Raises:
            ValueError: a key is unknown.
        """
        known = {f.name for f in fields(cls)}
        if unknown := table.keys() - known:
            raise ValueError(f"unknown rescoring weights {sorted(unknown)}; known: {sorted(known)}")
        return cls(**table)


def total(candidate: Scored, weights: Weights) -> float:
    """The weighed score of a candidate."""
    opinion = weights.unheard if candidate.opinion is None else candidate.opinion
    return (
        weights.ctc * candidate.ctc
        + weights.lm * candidate.lm
        + weights.prior * candidate.prior
        + weights.opinion * opinion
    )


def ranked(candidates: Sequence[Scored], weights: Weights) -> list[Scored]:
    """Best first."""
    return sorted(candidates, key=lambda c: -total(c, weights))


def fit(candidate: Scored) -> float:
    """How well the sound fits, per letter; 0 is perfect, speech of another matter is far below."""
    return candidate.ctc / max(len(candidate.text), 1)


def decide(candidates: Sequence[Scored], weights: Weights) -> Scored | None:
    """The candidate that was meant, None when nothing fits well enough."""
    best = next(iter(ranked(candidates, weights)), None)
    if best is None or fit(best) < weights.reject:
        return None
    return best
