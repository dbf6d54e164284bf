"""Whether what is fed is what the manifest asks for: the same words for every backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from device.engine.contract import Array, TensorSpec
from device.errors import BadFeed


class FeedCheck:
    """What a part wants to be fed, worked out once: this is checked on every run."""

    def __init__(self, part: str, tensors: Sequence[TensorSpec]) -> None:
        self._part = part
        self._expected = {tensor.name: _Expected(tensor) for tensor in tensors}

    def check(self, fed: Mapping[str, Array]) -> None:
        """Refuse feeds of other names, types, ranks or fixed sizes.

        Raises:
            BadFeed: names what does not fit.
        """
        if fed.keys() != self._expected.keys():
            unknown = sorted(fed.keys() - self._expected.keys())
            missing = sorted(self._expected.keys() - fed.keys())
            problem = (
                f"was fed {unknown or 'nothing'} too much and {missing or 'nothing'} too little"
            )
            raise BadFeed(self._part, problem, "feed exactly the inputs of the manifest")
        for name, array in fed.items():
            self._expected[name].check(array)


class _Expected:
    """What one input must look like."""

    def __init__(self, spec: TensorSpec) -> None:
        self.name, self.dtype, self.dims = spec.name, spec.numpy_dtype, spec.dims
        self.fixed = [(axis, dim) for axis, dim in enumerate(spec.dims) if isinstance(dim, int)]

    def check(self, array: Array) -> None:
        if array.dtype != self.dtype or array.ndim != len(self.dims):
            raise self._misfit(array)
        for axis, dim in self.fixed:
            if array.shape[axis] != dim:
                raise self._misfit(array)

    def _misfit(self, array: Array) -> BadFeed:
        problem = f"is {array.dtype}{list(array.shape)}, not {self.dtype}{list(self.dims)}"
        return BadFeed(self.name, problem, "feed it as the manifest says")
