"""What an accelerator must offer, and the words that describe a graph.

Names are the API. A graph's inputs are ``inputs`` plus ``state``; its outputs are ``outputs`` plus
one output for each state tensor, named by one rule so that nothing else has to be declared:

* a *cache* ``past_<x>[P, ...]`` grows: the graph returns only the new rows, ``new_<x>[T, ...]``;
* a *tail* ``<x>`` of fixed dims is replaced: the graph returns the next one as ``<x>_out``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Literal, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from device.engine.states import Rows
from device.errors import BadFeed

DType = Literal["f32", "f16", "i64", "i32"]
Array = npt.NDArray[np.generic]
"""A tensor on the host, of any of the four types."""
NUMPY_TYPES: dict[DType, np.dtype[np.generic]] = {
    "f32": np.dtype(np.float32),
    "f16": np.dtype(np.float16),
    "i64": np.dtype(np.int64),
    "i32": np.dtype(np.int32),
}

MAX_DIM = 2**31 - 1
MAX_RANK = 8
MAX_TENSORS = 1024  # a 9B decoder of 40 layers has 80 caches
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.\-]{0,127}$")]
FixedDim = Annotated[int, Field(strict=True, ge=1, le=MAX_DIM)]
_NAMED_DIM = r"^[A-Za-z][A-Za-z0-9_]{0,31}( ?\+ ?[A-Za-z0-9_]{1,32}){0,3}$"
NamedDim = Annotated[str, Field(pattern=_NAMED_DIM)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Precision = Literal["fp32", "fp16", "w8a8", "w8", "w4"]
Extent = Annotated[int, Field(strict=True, ge=0, le=MAX_DIM)]

CACHE_PREFIX, NEW_PREFIX, TAIL_SUFFIX = "past_", "new_", "_out"


class TensorSpec(BaseModel):
    """One tensor of a graph. ``dims`` are sizes, names (``"T"``) or sums of them (``"P+T"``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    dtype: DType
    dims: tuple[FixedDim | NamedDim, ...] = Field(max_length=MAX_RANK)

    @property
    def numpy_dtype(self) -> np.dtype[np.generic]:
        """The numpy type of this tensor."""
        return NUMPY_TYPES[self.dtype]

    @property
    def is_cache(self) -> bool:
        """True for a state tensor that grows by rows (``past_<x>``)."""
        return self.name.startswith(CACHE_PREFIX)

    @property
    def next_name(self) -> str:
        """Name of the output that carries this state onward."""
        if self.is_cache:
            return NEW_PREFIX + self.name.removeprefix(CACHE_PREFIX)
        return self.name + TAIL_SUFFIX

    def shape(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """Concrete shape for named sizes, e.g. ``{"P": 3, "T": 1}``.

        Raises:
            BadFeed: when a name has no size.
        """
        return tuple(dim if isinstance(dim, int) else self._sum(dim, sizes) for dim in self.dims)

    def _sum(self, dim: str, sizes: Mapping[str, int]) -> int:
        total = 0
        for term in (piece.strip() for piece in dim.split("+")):
            if not term.isdigit() and term not in sizes:
                raise BadFeed(
                    self.name, f"the dim {term!r} has no size", f"give a size for {term!r}"
                )
            total += int(term) if term.isdigit() else sizes[term]
        return total


class EngineSpec(BaseModel):
    """Everything an engine must agree to before it may run a part.

    ``profile`` gives the least, usual and greatest size of each named dim, for backends that plan
    ahead.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    part: Name
    inputs: tuple[TensorSpec, ...] = Field(max_length=MAX_TENSORS)
    outputs: tuple[TensorSpec, ...] = Field(max_length=MAX_TENSORS)
    state: tuple[TensorSpec, ...] = Field(default=(), max_length=MAX_TENSORS)
    precision: Precision
    sha256: Sha256
    profile: dict[Name, tuple[Extent, Extent, Extent]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> EngineSpec:
        check_tensors(self.inputs, self.outputs, self.state)
        return self

    @property
    def graph_inputs(self) -> tuple[TensorSpec, ...]:
        """All inputs of the graph, state included."""
        return self.inputs + self.state

    @property
    def graph_outputs(self) -> tuple[TensorSpec, ...]:
        """All outputs of the graph, state included; a cache's new rows are counted by ``T``."""
        return self.outputs + tuple(next_state(tensor) for tensor in self.state)


def next_state(tensor: TensorSpec) -> TensorSpec:
    """The output that carries state ``tensor`` onward."""
    dims = ("T", *tensor.dims[1:]) if tensor.is_cache else tensor.dims
    return TensorSpec(name=tensor.next_name, dtype=tensor.dtype, dims=dims)


def check_tensors(
    inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], state: tuple[TensorSpec, ...]
) -> None:
    """Refuse a set of tensors that no graph can have.

    Raises:
        ValueError: a name is used twice, or a tail or a cache's row is not of fixed size.
    """
    for tensor in state:
        fixed = tensor.dims[1:] if tensor.is_cache else tensor.dims
        if not all(isinstance(dim, int) for dim in fixed):
            raise ValueError(f"state {tensor.name!r} has an open size in {tensor.dims}")
        if tensor.is_cache and (not tensor.dims or isinstance(tensor.dims[0], int)):
            raise ValueError(f"cache {tensor.name!r} must have a named first dim: {tensor.dims}")
    names_in = [tensor.name for tensor in inputs + state]
    names_out = [tensor.name for tensor in outputs] + [tensor.next_name for tensor in state]
    for names in (names_in, names_out):
        twice = [name for name, uses in Counter(names).items() if uses > 1]
        if twice:
            raise ValueError(f"tensor names used twice: {twice}")


class State(Protocol):
    """What one stream of runs remembers; of use only to the engine that made it."""

    @property
    def cache(self) -> Rows:
        """How many rows are in use; may be truncated."""
        ...

    def reset(self) -> None:
        """Forget everything."""
        ...


class Engine(Protocol):
    """One part, loaded and ready to run. Not for use by two threads at once."""

    spec: EngineSpec
    backend: str

    def new_state(self, max_len: int, window: int | None = None) -> State:
        """Empty caches with room for ``max_len`` rows, and tails of zeros.

        Args:
            max_len: rows to hold.
            window: rows to feed, for a graph that looks back only so far; None feeds all.
        """
        ...

    def run(self, feeds: Mapping[str, Array], state: State | None = None) -> dict[str, Array]:
        """Run once.

        Args:
            feeds: the spec's ``inputs`` by name (and its ``state``, when no ``state`` is given).
            state: read before the run and moved on after it; left as it was when the run fails.

        Returns:
            The spec's ``outputs`` by name (and the next state, when no ``state`` is given).

        Raises:
            BadFeed: names, types or shapes do not fit.
            StateError: the caches have no room for the new rows, or another engine made them.
            EngineRunError: the backend failed.
        """
        ...

    def warm_up(self, sizes: Mapping[str, int]) -> None:
        """Run on zeros of these named sizes, so that the first real run is not the slow one."""
        ...

    def close(self) -> None:
        """Give back what the engine holds. Safe to call twice."""
        ...
