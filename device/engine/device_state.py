"""Caches and tails that stay on the GPU between runs.

A cache has room for the largest bucket, so any bucket may be read from its beginning. New rows are
written where they belong when TensorRT takes that address and the run is not a captured one, whose
addresses are fixed; else to a stage, from which one pitched copy moves those of all layers. Rows
beyond ``cache.length`` are never trusted, so a run that fails leaves the state as it was. Tails are
written beside the old ones and copied over them once the run has worked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from device.engine.addresses import Bank, Banks, Block, byte_size
from device.engine.contract import TensorSpec
from device.engine.cuda import Cuda
from device.engine.states import Rows, fixed_dims


@dataclass(frozen=True)
class StateLayout:
    """Where everything of a state lies, one behind the other: pure arithmetic.

    Attributes:
        caches: room for all rows.
        window: room for the rows of a window that begin where TensorRT takes no address.
        new: room for the rows that one run may add.
        tails: the tails; the next ones lie behind them in the same order.
        next_names: output that carries each state tensor onward, by the tensor's name.
    """

    caches: Banks
    window: Banks
    new: Banks
    tails: Block
    next_names: Mapping[str, str]

    @classmethod
    def of(
        cls, tensors: Sequence[TensorSpec], rows: int, new_rows: int, window: int | None = None
    ) -> StateLayout:
        """Lay out the state of one graph.

        Args:
            rows: rows that each cache holds, the padding of the largest bucket included.
            new_rows: rows that one run may add.
            window: rows that are fed at most; None feeds all.
        """
        row = {t.name: _bytes(t, t.dims[1:]) for t in tensors if t.is_cache}
        tails = {t.name: _bytes(t, t.dims) for t in tensors if not t.is_cache}
        names = {t.name: t.next_name for t in tensors}
        banks = [Banks.of(row, count) for count in (rows, window or 0, new_rows)]
        return cls(banks[0], banks[1], banks[2], Block.of(tails), names)

    @property
    def window_at(self) -> int:
        """Where the window's rows begin, in bytes."""
        return self.caches.size

    @property
    def new_at(self) -> int:
        """Where the new rows begin, in bytes."""
        return self.window_at + self.window.size

    @property
    def tails_at(self) -> int:
        """Where the tails begin, in bytes."""
        return self.new_at + self.new.size

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return self.tails_at + 2 * self.tails.size


def _bytes(tensor: TensorSpec, dims: Sequence[int | str]) -> int:
    return byte_size(fixed_dims(dims), tensor.numpy_dtype.itemsize)


class DeviceState:
    """One stream of runs of one engine; all but ``cache`` and ``reset`` for the inference thread.

    Attributes:
        layout, address: what lies where.
    """

    def __init__(self, layout: StateLayout, address: int, cache: Rows) -> None:
        self.layout, self.address, self._cache = layout, address, cache
        self._fresh = True

    @property
    def cache(self) -> Rows:
        """How many rows are in use; may be truncated."""
        return self._cache

    def reset(self) -> None:
        """Forget everything; the tails are zeroed when they are next needed."""
        self._cache.reset()
        self._fresh = True

    def sources(self, cuda: Cuda, stream: int, *, fixed: bool) -> dict[str, int]:
        """Addresses to read the state from, by the graph's input names.

        Args:
            fixed: the same addresses every time, as a captured graph needs them.
        """
        layout = self.layout
        if self._fresh:
            if layout.tails.size:
                cuda.zero(self.address + layout.tails_at, layout.tails.size, stream)
            self._fresh = False
        first = self._cache.length - self._cache.fed
        if self._cache.window is None or (layout.caches.bindable(first) and not fixed):
            caches = layout.caches.starts(self.address, first)
        else:
            begin = self.address + layout.window_at
            rows = self._cache.fed
            _copy(cuda, stream, (layout.window, begin), (layout.caches, self.address, first), rows)
            caches = layout.window.starts(begin)
        return caches | self._tails(layout.tails_at)

    def targets(self, count: int, *, fixed: bool) -> dict[str, int]:
        """Addresses to write the next state to, by the graph's output names.

        Args:
            count: rows the run will add.

        Raises:
            StateError: there is no room for them.
        """
        layout = self.layout
        if self.in_place(count, fixed=fixed):
            caches = layout.caches.starts(self.address, self._cache.length)
        else:
            caches = layout.new.starts(self.address + layout.new_at)
        found = caches | self._tails(layout.tails_at + layout.tails.size)
        return {layout.next_names[name]: address for name, address in found.items()}

    def in_place(self, count: int, *, fixed: bool) -> bool:
        """Whether ``count`` new rows are written where they belong.

        Raises:
            StateError: there is no room for them at all.
        """
        # Rows that must move to the front move after the run: one that fails moves nothing.
        fits = self._cache.fits(count)
        return fits and not fixed and self.layout.caches.bindable(self._cache.length)

    def commit(self, cuda: Cuda, stream: int, count: int, *, fixed: bool) -> None:
        """Move on by what the run wrote to ``targets``; the arguments are those it was given."""
        layout, cache = self.layout, self._cache
        if not self.in_place(count, fixed=fixed):
            if not cache.fits(count):
                self._move_to_front(cuda, stream)
            begin = self.address + layout.new_at
            target = (layout.caches, self.address, cache.length)
            _copy(cuda, stream, target, (layout.new, begin), count)
        cache.length += count
        if layout.tails.size:
            tails = self.address + layout.tails_at
            cuda.d2d(tails, tails + layout.tails.size, layout.tails.size, stream)

    def _move_to_front(self, cuda: Cuda, stream: int) -> None:
        # By way of the window's room, for old and new place may overlap. Only a window moves.
        layout, kept = self.layout, self._cache.fed
        first = self._cache.length - kept
        room = (layout.window, self.address + layout.window_at)
        _copy(cuda, stream, room, (layout.caches, self.address, first), kept)
        _copy(cuda, stream, (layout.caches, self.address), room, kept)
        self._cache.length = kept

    def _tails(self, offset: int) -> dict[str, int]:
        start = self.address + offset
        return {name: start + at for name, at in self.layout.tails.offsets.items()}


_Place = tuple[Banks, int] | tuple[Banks, int, int]  # banks, their address, first row


def _copy(cuda: Cuda, stream: int, target: _Place, source: _Place, rows: int) -> None:
    """Copy ``rows`` rows of every cache between two places of one state."""
    if not rows:
        return
    for to, by in zip(target[0].banks, source[0].banks, strict=True):
        stripe = (rows * to.row, len(to.names))
        cuda.d2d_rows(_start(to, *target[1:]), _start(by, *source[1:]), stripe, stream)


def _start(bank: Bank, address: int, first: int = 0) -> tuple[int, int]:
    return address + bank.offset + first * bank.row, bank.pitch
