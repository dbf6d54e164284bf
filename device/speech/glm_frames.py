"""Tokens and mel frames of GLM-4-Voice's speech decoder, counted exactly.

A token is 80 ms and a frame 256 samples at 22,050 Hz, so 64 tokens are 441 frames. The flow turns
tokens into frames by the nearest map of ``nearest``; it may be asked for a *window* of tokens: as
64 tokens are a whole number of frames, a window of 64 begins and ends where the whole would.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TOKENS, FRAMES = 64, 441  # the least whole numbers of either that last equally long
BLOCK = 10  # tokens the flow's encoder takes at a time
REPLY = 375  # tokens of a reply at most: 30 s; longer ones begin to hiss
HELD = 34  # frames of the newest five tokens: made again when more is known
GUIDANCE = 0.7  # classifier-free guidance of the flow
STEPS = 10  # of the flow's solver


def frames_of(tokens: int) -> int:
    """Frames of so many tokens from the beginning."""
    return FRAMES * tokens // TOKENS


def nearest(tokens: int) -> npt.NDArray[np.int64]:
    """int64[F]: which of ``tokens`` tokens each of their frames is taken from."""
    frames = frames_of(tokens)
    return np.arange(frames, dtype=np.int64) * tokens // max(frames, 1)


def times(steps: int = STEPS) -> tuple[float, ...]:
    """Where the solver stops between noise (0) and mel (1), ``steps`` + 1 of them."""
    return tuple(1.0 - math.cos(math.pi / 2 * step / steps) for step in range(steps + 1))


@dataclass(frozen=True)
class Window:
    """What to solve: the tokens, and how many of their frames are there already.

    Frames are counted from the window's first; ``first_frame`` is that one's own number.
    """

    first_token: int
    tokens: int
    first_frame: int
    frames: int
    known: int

    @classmethod
    def of(cls, tokens: int, released: int, widest: int = TOKENS) -> Window:
        """The window that ends with ``tokens`` tokens, ``released`` frames of which are final.

        Args:
            tokens: tokens so far.
            released: frames, from the beginning, that will not change any more.
            widest: tokens a window holds, a multiple of 64; longer speech is cut at its beginning.

        Raises:
            ValueError: ``widest`` is no multiple of 64, or the window begins behind ``released``.
        """
        if widest % TOKENS:
            raise ValueError(f"a window of {widest} tokens is no whole number of frames")
        first = max(0, tokens - widest)
        held = min(tokens, widest)
        known = released - frames_of(first)
        if not 0 <= known <= frames_of(held):
            raise ValueError(f"{released} frames are released of {frames_of(tokens)}")
        return cls(first, held, frames_of(first), frames_of(held), known)
