"""Which utterances set the ranges of a rounded part, and which it is then judged by.

Judged by the speech that its ranges were fitted to, a part looks better than it is.
"""

from __future__ import annotations

EVERY = 2
LEAST = 4  # with fewer, either half would be a single utterance


def held_out(count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of ``count`` utterances, those to calibrate on and those to be judged by: every second.

    A clip or two are too few to be judged by: a good part misses its bar by them now and then.
    Fewer than four serve both.
    """
    every = tuple(range(count))
    if count < LEAST:
        return every, every
    judged = every[EVERY - 1 :: EVERY]
    return tuple(number for number in every if number not in judged), judged
