"""How often one thing may be commanded: a token bucket each. Pure, on timestamps it is given.

A model that repeats itself, or a client gone wild, must not wear out a relay or flash the lights.
"""

from __future__ import annotations

MAX_KEYS = 2000
"""Full buckets are forgotten beyond this many: they say nothing."""


class RateLimit:
    """A bucket per key; ``burst`` commands at once, and as many again spread over ``per_s``."""

    def __init__(self, burst: int = 10, per_s: float = 10.0) -> None:
        """
        Raises:
            ValueError: either is not positive.
        """
        if burst < 1 or per_s <= 0:
            raise ValueError("a rate limit needs at least one command in a positive time")
        self._burst = burst
        self._per_second = burst / per_s
        self._buckets: dict[str, tuple[float, float]] = {}
        """Tokens left, and when that was."""

    def admit(self, key: str, now_s: float) -> bool:
        """Whether one more command may go out now; takes a token if so."""
        tokens = self._tokens(key, now_s)
        # A sum of many small refills may miss a whole token by rounding.
        admitted = tokens >= 1 - 1e-9
        if key not in self._buckets and len(self._buckets) >= MAX_KEYS:
            self._forget(now_s)
        self._buckets[key] = (tokens - admitted, now_s)
        return admitted

    def _tokens(self, key: str, now_s: float) -> float:
        left, at_s = self._buckets.get(key, (float(self._burst), now_s))
        return min(float(self._burst), left + max(0.0, now_s - at_s) * self._per_second)

    def _forget(self, now_s: float) -> None:
        self._buckets = {
            key: bucket
            for key, bucket in self._buckets.items()
            if self._tokens(key, now_s) < self._burst
        }
