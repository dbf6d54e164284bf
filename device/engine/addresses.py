"""Where things lie in device memory: arithmetic on integers, no device.

Caches lie one behind the other in one block, each in a region of one size (the *pitch*), so that
the new rows of all of them are moved by a single pitched copy. A row can be written in place, by
binding an output at ``base + P * row``, only where that address is one TensorRT takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from device.engine.cuda import ALIGNMENT


def aligned(size: int) -> int:
    """``size`` rounded up to what an address may be a multiple of."""
    return -(-size // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True)
class Block:
    """Named tensors one behind the other, each aligned.

    Attributes:
        offsets: where each begins, in bytes from the block's address.
        size: bytes of the whole.
    """

    offsets: Mapping[str, int]
    size: int

    @classmethod
    def of(cls, sizes: Mapping[str, int]) -> Block:
        """Lay out tensors of these sizes in bytes, in this order."""
        offsets, end = {}, 0
        for name, size in sizes.items():
            offsets[name] = end
            end += aligned(size)
        return cls(offsets, end)


@dataclass(frozen=True)
class Bank:
    """Caches whose rows have one size: ``names[i]`` lies at ``base + i * pitch``.

    Attributes:
        row: bytes of one row.
        rows: rows that each cache has room for.
        offset: where the first one begins, in bytes from the state's address.
    """

    names: tuple[str, ...]
    row: int
    rows: int
    offset: int

    @property
    def pitch(self) -> int:
        """Bytes from one cache to the next."""
        return aligned(self.row * self.rows)

    @property
    def size(self) -> int:
        """Bytes of the whole bank."""
        return self.pitch * len(self.names)

    def starts(self, base: int, first: int = 0) -> dict[str, int]:
        """The address of row ``first`` of each cache."""
        start = base + self.offset + first * self.row
        return {name: start + index * self.pitch for index, name in enumerate(self.names)}

    def bindable(self, first: int) -> bool:
        """Whether TensorRT takes the addresses of row ``first``."""
        return first * self.row % ALIGNMENT == 0


@dataclass(frozen=True)
class Banks:
    """All the caches of one graph, those with rows of one size together."""

    banks: tuple[Bank, ...] = field(default=())

    @classmethod
    def of(cls, rows: Mapping[str, int], count: int) -> Banks:
        """Room for ``count`` rows of every cache.

        Args:
            rows: bytes of a row of each cache, by name.
        """
        by_size: dict[int, list[str]] = {}
        for name, row in rows.items():
            by_size.setdefault(row, []).append(name)
        banks, end = [], 0
        for row, names in by_size.items():
            banks.append(Bank(tuple(names), row, count, end))
            end += banks[-1].size
        return cls(tuple(banks))

    @property
    def size(self) -> int:
        """Bytes of all caches."""
        return sum(bank.size for bank in self.banks)

    def starts(self, base: int, first: int = 0) -> dict[str, int]:
        """The address of row ``first`` of every cache, by name."""
        return {k: v for bank in self.banks for k, v in bank.starts(base, first).items()}

    def bindable(self, first: int) -> bool:
        """Whether row ``first`` of every cache may be bound."""
        return all(bank.bindable(first) for bank in self.banks)


def byte_size(shape: Sequence[int], item: int) -> int:
    """Bytes of a tensor of this shape with items of ``item`` bytes."""
    total = item
    for dim in shape:
        total *= dim
    return total
