"""How well given texts fit CTC log probabilities, without any grammar."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.language.alphabet import BLANK, SIZE, encode


def score_text(log_probabilities: NDArray[np.float32], text: str) -> float:
    """Natural log probability of a text over all its alignments; -inf when it cannot fit.

    Raises:
        ValueError: a character is not in the alphabet, or the rows have not 29 columns.
    """
    return float(score_texts(log_probabilities, [text])[0])


def score_texts(
    log_probabilities: NDArray[np.float32], texts: Sequence[str], best_path: bool = False
) -> NDArray[np.float64]:
    """Scores of many texts at once: all alignments summed, or the best one alone (quicker).

    Args:
        log_probabilities: float32[frames, 29], natural logs.
        texts: lower-case words.
        best_path: take the likeliest alignment instead of the sum.
    """
    rows = np.asarray(log_probabilities, np.float64)
    if rows.ndim != 2 or rows.shape[1] != SIZE:
        raise ValueError(f"log probabilities of shape {rows.shape}, want [n, {SIZE}]")
    if not texts:
        return np.zeros(0)
    # States of a text: blank, letter, blank, letter, …, blank; short texts are padded with blanks.
    labels = [encode(text) for text in texts]
    width = 2 * max(map(len, labels)) + 1
    symbols = np.full((len(texts), width), BLANK, np.intp)
    for row, label in zip(symbols, labels, strict=True):
        row[1 : 2 * len(label) : 2] = label
    # A letter may follow the letter before directly, if it is another.
    skips = np.full(symbols.shape, -np.inf)
    skips[:, 2:][(symbols[:, 2:] != BLANK) & (symbols[:, 2:] != symbols[:, :-2])] = 0.0
    join = np.maximum if best_path else np.logaddexp
    state = np.full(symbols.shape, -np.inf)
    state[:, 0] = 0.0
    with np.errstate(invalid="ignore"):
        for number, row in enumerate(rows):
            if number:
                moved = np.copy(state)
                moved[:, 1:] = join(moved[:, 1:], state[:, :-1])
                moved[:, 2:] = join(moved[:, 2:], state[:, :-2] + skips[:, 2:])
                state = moved
            else:
                state[:, 1:2] = 0.0  # an alignment starts with the first blank or the first letter
            state += row[symbols]
    ends = np.array([2 * len(label) for label in labels])
    each = np.arange(len(texts))
    if not len(rows):
        return np.where(ends == 0, 0.0, -np.inf)
    last_letter = np.where(ends > 0, state[each, ends - 1], -np.inf)
    return np.asarray(join(state[each, ends], last_letter), np.float64)
