"""Normal noise that hangs on its place alone, so that pieces of any size get the same.

Philox is a counter-based generator: each row has a counter of its own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def indexed_noise(seed: int, first: int, rows: int, width: int) -> Floats:
    """Rows ``first`` … ``first + rows - 1`` of an endless table, float32[rows, width]."""
    out = np.empty((rows, width), np.float32)
    for row in range(rows):
        place = np.random.Philox(key=seed, counter=[0, 0, 0, first + row])
        out[row] = np.random.Generator(place).standard_normal(width, np.float32)
    return out
