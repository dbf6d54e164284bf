"""Whether a checkpoint has exactly the tensors of a model: all differences at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Protocol

import numpy as np
import numpy.typing as npt

from model_export.checkpoints.errors import WrongLayout

Shapes = Mapping[str, tuple[int, ...]]


class Checkpoint(Protocol):
    """Named float tensors that are read when asked for."""

    where: str

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]: ...

    def read(self, name: str) -> npt.NDArray[np.float32]: ...

    def rows(self, name: str, start: int, stop: int) -> npt.NDArray[np.float32]: ...


def check_layout(checkpoint: Checkpoint, expected: Shapes, ignored: Sequence[str] = ()) -> None:
    """Compare names and shapes; the numbers are not read.

    Args:
        checkpoint: what was found.
        expected: what the model wants.
        ignored: patterns of tensors that may be there and are not used.

    Raises:
        WrongLayout: with every tensor that is missing, too many, or of another shape.
    """
    found = checkpoint.shapes
    problems = [f"missing: {name} {list(expected[name])}" for name in expected.keys() - found]
    problems += [
        f"surplus: {name} {list(found[name])}"
        for name in found.keys() - expected
        if not any(fnmatchcase(name, pattern) for pattern in ignored)
    ]
    problems += [
        f"shape: {name} is {list(found[name])}, not {list(expected[name])}"
        for name in expected.keys() & found
        if found[name] != expected[name]
    ]
    if problems:
        raise WrongLayout(checkpoint.where, sorted(problems))
