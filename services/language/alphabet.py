"""The symbols of the recogniser's CTC head, and texts as rows of their numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLANK = 0
SPACE = 1
LETTERS = "abcdefghijklmnopqrstuvwxyz'"
SYMBOLS = ("", " ", *LETTERS)
"""Index → symbol; the blank writes nothing."""
SIZE = len(SYMBOLS)  # 29
FRAME_RATE = 50  # CTC frames per second

_INDEX = {symbol: n for n, symbol in enumerate(SYMBOLS) if symbol}


def encode(text: str) -> NDArray[np.uint8]:
    """Symbol numbers of a text in lower-case words.

    Raises:
        ValueError: a character is not in the alphabet.
    """
    try:
        return np.array([_INDEX[c] for c in text], dtype=np.uint8)
    except KeyError as missing:
        raise ValueError(f"{missing.args[0]!r} is not in the alphabet of the recogniser") from None


def decode(labels: NDArray[np.integer]) -> str:
    """Greedy CTC reading: repeats folded, blanks dropped."""
    kept = [n for k, n in enumerate(labels) if n != BLANK and (k == 0 or n != labels[k - 1])]
    return " ".join("".join(SYMBOLS[n] for n in kept).split())
