"""State that outlives one run: caches that grow by rows and tails that are replaced.

A cache owns one buffer ``[max_len, n_kv, d]`` for each layer and each of k and v. Its first
``length`` rows are contiguous, so what is fed to a graph is a view and appending is one row copy:
nothing is ever moved. Interrupting a turn is ``truncate``. A graph that looks back only so far has
a *window*: the last rows are fed, again as a view, and they are moved to the front of the buffer
when it is full, so a stream may go on for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from device.errors import StateError

if TYPE_CHECKING:  # contract.py names EngineState in its protocol
    from device.engine.contract import TensorSpec

Array = npt.NDArray[np.generic]


class Rows:
    """How many rows of a cache are in use, and which of them are fed; no rows, no accelerator.

    Args:
        max_len: rows to hold.
        window: rows to feed, None for all. ``max_len`` should be several times as much, or rows are
            moved often.

    Raises:
        StateError: no room at all, or a window that is larger than the room.
    """

    def __init__(self, max_len: int, window: int | None = None) -> None:
        if max_len < 1:
            raise StateError("cache", f"cannot hold {max_len} rows", "ask for at least one")
        if window is not None and not 0 < window <= max_len:
            problem = f"cannot feed {window} of {max_len} rows"
            raise StateError("cache", problem, "ask for a window within the cache")
        self.max_len, self.window = max_len, window
        self.length = 0
        """Rows held; with a window, this is not the number of rows ever appended."""

    @property
    def fed(self) -> int:
        """Number of rows that are fed: the size of the dim ``P``."""
        return self.length if self.window is None else min(self.length, self.window)

    def fits(self, count: int) -> bool:
        """Whether ``count`` more rows fit behind those in use, or must have older ones moved.

        Raises:
            StateError: they do not fit even then.
        """
        if self.length + count <= self.max_len:
            return True
        if self.fed + count > self.max_len:
            problem = f"{self.fed} rows and {count} more exceed {self.max_len}"
            remedy = "shorten the history or open the engine with more room"
            raise StateError("cache", problem, remedy)
        return False

    def truncate(self, length: int) -> None:
        """Forget every row from ``length`` on.

        Raises:
            StateError: ``length`` is negative or beyond what is there.
        """
        if not 0 <= length <= self.length:
            problem = f"cannot cut {self.length} rows to {length}"
            raise StateError("cache", problem, "cut to a length already reached")
        self.length = length

    def reset(self) -> None:
        """Forget all rows."""
        self.length = 0


class KVCache(Rows):
    """The caches of one graph, all of one length, in host memory.

    Args:
        tensors: ``past_<x>`` tensors, dims ``[P, *row]``.
        max_len, window: see ``Rows``.
    """

    def __init__(
        self, tensors: Sequence[TensorSpec], max_len: int, window: int | None = None
    ) -> None:
        super().__init__(max_len, window)
        # Zeros, not empty: whoever looks beyond the rows in use finds nothing of before.
        self._buffers: dict[str, Array] = {
            tensor.name: np.zeros((max_len, *fixed_dims(tensor.dims[1:])), tensor.numpy_dtype)
            for tensor in tensors
        }
        self._sources = {tensor.name: tensor.next_name for tensor in tensors}

    def view(self, name: str, length: int | None = None) -> Array:
        """The first ``length`` rows (default: all that are in use) of one cache, without a copy."""
        return self._buffers[name][: self.length if length is None else length]

    def feeds(self) -> dict[str, Array]:
        """Views of the rows to feed, by input name: all in use, or the last of them."""
        first = self.length - self.fed
        return {name: buffer[first : self.length] for name, buffer in self._buffers.items()}

    def append(self, outputs: Mapping[str, Array]) -> None:
        """Add the new rows that a run returned, ``new_<x>[T, *row]``; all caches or none.

        Raises:
            StateError: rows are missing, of another shape or type, or do not fit any more.
        """
        rows = {name: self._rows(name, outputs) for name in self._buffers}
        counts = {len(new) for new in rows.values()} or {0}
        if len(counts) > 1:
            problem = f"the layers returned {sorted(counts)} rows"
            raise StateError("cache", problem, "export the graph again")
        count = counts.pop()
        if not self.fits(count):
            self._move_to_front()
        for name, new in rows.items():
            self._buffers[name][self.length : self.length + count] = new
        self.length += count

    def _move_to_front(self) -> None:
        kept = self.fed
        for buffer in self._buffers.values():
            buffer[:kept] = buffer[self.length - kept : self.length]  # numpy minds the overlap
        self.length = kept

    def _rows(self, name: str, outputs: Mapping[str, Array]) -> Array:
        buffer, source = self._buffers[name], self._sources[name]
        new = outputs.get(source)
        if new is None:
            raise StateError(source, "is not among the outputs", "export the graph again")
        row = buffer.shape[1:]
        if new.ndim != buffer.ndim or new.shape[1:] != row or new.dtype != buffer.dtype:
            found = f"{new.dtype}{list(new.shape)}"
            raise StateError(
                source,
                f"is {found}, not rows of {buffer.dtype}{list(row)}",
                "export the graph again",
            )
        return new


class StateSet:
    """Tails of fixed size, such as what a convolution still needs: ``<x>_out`` becomes ``<x>``."""

    def __init__(self, tensors: Sequence[TensorSpec]) -> None:
        self._arrays: dict[str, Array] = {
            tensor.name: np.zeros(fixed_dims(tensor.dims), tensor.numpy_dtype) for tensor in tensors
        }
        self._sources = {tensor.name: tensor.next_name for tensor in tensors}

    def feeds(self) -> dict[str, Array]:
        """The current tails, by input name."""
        return dict(self._arrays)

    def check(self, outputs: Mapping[str, Array]) -> None:
        """Refuse outputs that cannot be the next tails.

        Raises:
            StateError: a tail is missing or of another shape or type.
        """
        for name, old in self._arrays.items():
            new = outputs.get(self._sources[name])
            if new is None or new.shape != old.shape or new.dtype != old.dtype:
                found = "missing" if new is None else f"{new.dtype}{list(new.shape)}"
                raise StateError(
                    self._sources[name],
                    f"is {found}, not {old.dtype}{list(old.shape)}",
                    "export the graph again",
                )

    def carry(self, outputs: Mapping[str, Array]) -> None:
        """Take over the next tails from a run's outputs; all or none.

        Raises:
            StateError: a tail is missing or of another shape or type.
        """
        self.check(outputs)
        for name, source in self._sources.items():
            self._arrays[name] = outputs[source]

    def reset(self) -> None:
        """Set every tail to zeros."""
        # New arrays, not fill(0): whoever asked for the last outputs may still hold the old ones.
        self._arrays = {name: np.zeros_like(old) for name, old in self._arrays.items()}


class EngineState:
    """All the state of one graph in host memory: caches (see ``KVCache``) and tails."""

    def __init__(
        self, tensors: Sequence[TensorSpec], max_len: int, window: int | None = None
    ) -> None:
        self.cache = KVCache([tensor for tensor in tensors if tensor.is_cache], max_len, window)
        self.tails = StateSet([tensor for tensor in tensors if not tensor.is_cache])
        self.outputs = frozenset(tensor.next_name for tensor in tensors)
        """Names of the outputs that carry this state onward."""

    def feeds(self) -> dict[str, Array]:
        """Everything the graph wants to be fed from here."""
        return self.cache.feeds() | self.tails.feeds()

    def absorb(self, outputs: Mapping[str, Array]) -> None:
        """Move on by what a run returned; caches and tails together, or neither.

        Raises:
            StateError: as ``KVCache.append`` and ``StateSet.carry``.
        """
        self.tails.check(outputs)
        self.cache.append(outputs)
        self.tails.carry(outputs)

    def reset(self) -> None:
        """Forget everything."""
        self.cache.reset()
        self.tails.reset()


def fixed_dims(dims: Sequence[int | str]) -> tuple[int, ...]:
    """The dims of a row or tail, as sizes.

    Raises:
        StateError: one of them is open.
    """
    open_dims = [dim for dim in dims if not isinstance(dim, int)]
    if open_dims:
        raise StateError("state", f"has open dims {open_dims}", "declare fixed sizes")
    return tuple(dim for dim in dims if isinstance(dim, int))
