"""The language model part of a bundle as a cache one can write to, ask, and cut back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from device.engine.contract import Engine

Floats = npt.NDArray[np.float32]

MASKED = -1e4  # additive; finite, as the engine contract asks


class LanguageModel:
    """One conversation in the cache of one engine."""

    def __init__(self, engine: Engine, max_len: int) -> None:
        """``max_len``: positions the graph's rotary table has."""
        self._engine = engine
        self._state = engine.new_state(max_len)
        self.max_len = max_len

    @property
    def length(self) -> int:
        """Ids read so far."""
        return self._state.cache.length

    def room(self, wanted: int) -> bool:
        return self.length + wanted <= self.max_len

    def read(self, ids: Sequence[int]) -> Floats:
        """Append ids; float32[vocab], logits of what may come next.

        Raises:
            StateError: the conversation is longer than the cache.
        """
        feeds = self._feeds(ids, rows=[len(ids) - 1])
        logits: Floats = self._engine.run(feeds, self._state)["logits"][0]
        return logits

    def cut(self, length: int) -> None:
        """Forget everything from position ``length`` on."""
        self._state.cache.truncate(length)

    def score(self, ids: Sequence[int], first: Floats) -> float:
        """Natural log probability of ids coming next; the cache stays as it was.

        Args:
            first: logits that the last ``read`` returned.
        """
        total = float(log_softmax(first)[ids[0]])
        if len(ids) == 1:
            return total
        feeds = self._feeds(ids[:-1], rows=list(range(len(ids) - 1)))
        logits = self._engine.run(feeds | self._state.feeds())["logits"].astype(np.float32)
        each = log_softmax(logits)[np.arange(len(ids) - 1), np.asarray(ids[1:])]
        return total + float(each.sum())

    def _feeds(self, ids: Sequence[int], rows: list[int]) -> dict[str, npt.NDArray[np.generic]]:
        new, past = len(ids), self.length
        mask = np.zeros((new, past + new), np.float32)
        mask[:, past:] = np.triu(np.full((new, new), MASKED, np.float32), 1)
        return {
            "ids": np.asarray(ids, np.int64),
            "position_ids": np.arange(past, past + new, dtype=np.int64),
            "mask": mask,
            "rows": np.asarray(rows, np.int64),
        }


def log_softmax(logits: Floats) -> Floats:
    """Over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    out: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return out
