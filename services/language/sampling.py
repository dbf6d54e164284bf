"""Which token comes next: temperature, then the likeliest k, then the likeliest share p."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Sampling:
    """How freely to choose; the defaults are those of GLM-4-Voice's own demonstration."""

    temperature: float = 0.2
    """0 takes the likeliest."""
    top_p: float = 0.8
    top_k: int = 0
    """0 for no limit."""

    def __post_init__(self) -> None:
        if not (self.temperature >= 0 and 0 < self.top_p <= 1 and self.top_k >= 0):
            raise ValueError(f"{self} is out of range")


class Draws(Protocol):
    """What chooses the next token."""

    def draw(self, logits: Floats, allowed: npt.NDArray[np.bool_]) -> int:
        """One of the ids that are allowed; both are [V]."""


class Sampler:
    """Draws tokens; the same seed draws the same from the same logits."""

    def __init__(self, sampling: Sampling, seed: int) -> None:
        self._sampling = sampling
        self._rng = np.random.Generator(np.random.Philox(key=seed))

    def draw(self, logits: Floats, allowed: npt.NDArray[np.bool_]) -> int:
        """One of the ids that are allowed.

        Args:
            logits: [V]; NaN counts as impossible.
            allowed: [V].

        Raises:
            ValueError: nothing is allowed, or no number among what is.
        """
        ids = np.flatnonzero(allowed & np.isfinite(logits))
        if not len(ids):
            raise ValueError("no token is allowed that has a finite logit")
        scores = logits[ids].astype(np.float64)
        if self._sampling.temperature == 0:
            return int(ids[scores.argmax()])
        kept, share = _likeliest(scores / self._sampling.temperature, self._sampling)
        return int(ids[kept[self._rng.choice(len(kept), p=share)]])


def _likeliest(
    scores: npt.NDArray[np.float64], sampling: Sampling
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Places kept, likeliest first, and their probabilities."""
    order = np.argsort(-scores, kind="stable")
    if sampling.top_k:
        order = order[: sampling.top_k]
    share = np.exp(scores[order] - scores[order[0]])
    share /= share.sum()
    # The one that reaches the share still belongs to it.
    count = int(np.searchsorted(share.cumsum(), sampling.top_p)) + 1
    share = share[:count]
    return order[:count], share / share.sum()
