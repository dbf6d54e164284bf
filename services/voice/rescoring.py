"""Which sentence was meant: every judge's score of every candidate, weighed; or none of them.

Judges: the tokenizer's two CTC heads (how well the sound, and the codes made from it, fit the
letters), the language model (how likely it writes this transcript and this call after these
codes), the grammar's prior, and a second recogniser that has heard people. All scores are natural
log probabilities. Pure: no engine is touched here, so weights can be fitted to recorded scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """The second recogniser's score per frame, relative to its own choice (0); None: it did not
    run, or was not asked about this one."""
    ratio: float | None = None
    """Where the second recogniser chose this call: its score per frame over a free phone loop."""
    behind: float = 0.0
    """As ``ctc``, by the letters read from the codes."""


@dataclass(frozen=True)
class Weights:
    """How much each judge counts, and when nobody is convinced; shipped in the bundle."""

    ctc: float = 1.0
    behind: float = 0.0
    lm: float = 0.5
    prior: float = 0.3
    opinion: float = 20.0
    """Nats for each nat per frame."""
    unheard: float = -0.5
    """Opinion of a call that the second recogniser was not asked about."""
    reject: float = -1.1
    """Fit per letter at which the tokenizer alone believes that the home was meant."""
    accept: float = -0.56
    """Ratio at which the second recogniser alone believes it."""

    @classmethod
    def of(cls, table: Mapping[str, float]) -> Weights:
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
        + weights.behind * candidate.behind
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


def believed(candidate: Scored, weights: Weights) -> bool:
    """Whether one of the recognisers is sure enough that this was said."""
    by_opinion = candidate.ratio is not None and candidate.ratio >= weights.accept
    return by_opinion or fit(candidate) >= weights.reject


def decide(candidates: Sequence[Scored], weights: Weights) -> Scored | None:
    """The candidate that was meant, None when nobody believes in the best one."""
    best = next(iter(ranked(candidates, weights)), None)
    return best if best is not None and believed(best, weights) else None
