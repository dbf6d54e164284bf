"""A checkpoint under the names of our own modules."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from model_export.checkpoints.layout import Checkpoint


class Renamed:
    """Tensors of ``checkpoint`` by our ``names``; ``published`` gives its name for one."""

    def __init__(
        self, checkpoint: Checkpoint, names: Iterable[str], published: Callable[[str], str]
    ) -> None:
        self._checkpoint = checkpoint
        self._published = {name: published(name) for name in names}
        shapes = checkpoint.shapes
        self.shapes = {ours: shapes[theirs] for ours, theirs in self._published.items()}

    def read(self, name: str) -> npt.NDArray[np.float32]:
        """A whole tensor as float32."""
        return self._checkpoint.read(self._published[name])

    def rows(self, name: str, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Some rows of it."""
        return self._checkpoint.rows(self._published[name], start, stop)
