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
        for piece in self._pieces(ids):
            logits = self._step(piece, rows=[len(piece) - 1])
        last: Floats = logits[0]
        return last

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
        start = self.length
        try:
            # Read and forgotten again: the cache may lie where only its engine can reach it.
            found = [
                self._step(piece, rows=[*range(len(piece))]) for piece in self._pieces(ids[:-1])
            ]
        finally:
            self.cut(start)
        each = log_softmax(np.concatenate(found))[np.arange(len(ids) - 1), np.asarray(ids[1:])]
        return total + float(each.sum())

    def _pieces(self, ids: Sequence[int]) -> list[Sequence[int]]:
        """As many ids at once as the graph's profile has room for."""
        most = self._engine.spec.profile.get("T", (1, 1, self.max_len))[2]
        return [ids[start : start + most] for start in range(0, max(len(ids), 1), most)]

    def _step(self, ids: Sequence[int], rows: list[int]) -> Floats:
        out = self._engine.run(self._feeds(ids, rows), self._state)
        logits: Floats = out["logits"].astype(np.float32, copy=False)
        return logits

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
