"""Not too fast, not too slow: a token bucket and a watch for servers that trickle. No clock."""

from __future__ import annotations

from collections import deque


class TokenBucket:
    """At most ``rate`` bytes a second, after a burst of one second's worth."""

    def __init__(self, rate: float, now: float) -> None:
        if rate <= 0:
            raise ValueError("rate must be above 0 bytes a second")
        self._rate = rate
        self._tokens = rate
        self._at = now

    def take(self, count: int, now: float) -> float:
        """Account for bytes that arrived; seconds to wait before more are asked for."""
        self._tokens = min(self._rate, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now
        self._tokens -= count
        return max(0.0, -self._tokens / self._rate)


class SlowWatch:
    """Tells when less than ``least`` bytes a second arrived over the last ``window`` seconds.

    Time in which we did not read, because of our own rate cap, does not count: pass a clock that
    stands still meanwhile, or call ``pause``.
    """

    def __init__(self, least: float, window: float, now: float) -> None:
        self._least, self._window = least, window
        self._begun = now
        self._seen: deque[tuple[float, int]] = deque()
        self._sum = 0

    def pause(self, seconds: float) -> None:
        """Leave out time that we spent waiting ourselves."""
        self._begun += seconds
        self._seen = deque((at + seconds, count) for at, count in self._seen)

    def slow(self, count: int, now: float) -> bool:
        """Account for bytes that arrived; whether they come too slowly."""
        self._seen.append((now, count))
        self._sum += count
        while self._seen and self._seen[0][0] <= now - self._window:
            self._sum -= self._seen.popleft()[1]
        return now - self._begun >= self._window and self._sum < self._least * self._window
