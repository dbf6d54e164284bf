"""Which utterances set the ranges of a rounded part, and which it is then judged by.

Judged by the speech that its ranges were fitted to, a part looks better than it is.
"""

from __future__ import annotations

EVERY = 4


def held_out(count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of ``count`` utterances, those to calibrate on and those to be judged by: every fourth.

    Fewer than four serve both: too few to hold one back.
    """
    every = tuple(range(count))
    if count < EVERY:
        return every, every
    judged = every[EVERY - 1 :: EVERY]
    return tuple(number for number in every if number not in judged), judged
