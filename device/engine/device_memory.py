"""All the device memory one engine holds, so that closing it gives back every byte once."""

from __future__ import annotations

from device.engine.cuda import Cuda, HostBytes


class Arena:
    """Allocations of one owner; called on the inference thread only."""

    def __init__(self, cuda: Cuda) -> None:
        self._cuda = cuda
        self._device: dict[int, int] = {}
        self._pinned: dict[int, HostBytes] = {}

    @property
    def held(self) -> int:
        """Bytes of device memory."""
        return sum(self._device.values())

    def alloc(self, size: int) -> int:
        """``size`` bytes of device memory; an address even for none, for TensorRT wants one."""
        size = max(size, 1)
        address = self._cuda.alloc(size)
        self._device[address] = size
        return address

    def pinned(self, size: int) -> HostBytes:
        """``size`` bytes of page-locked host memory."""
        memory = self._cuda.pinned(max(size, 1))
        self._pinned[id(memory)] = memory
        return memory

    def free(self, address: int) -> None:
        """Give one allocation back; what is not held any more is no error."""
        if self._device.pop(address, None) is not None:
            self._cuda.free(address)

    def close(self) -> None:
        """Give everything back."""
        for address in list(self._device):
            self.free(address)
        while self._pinned:
            self._cuda.unpin(self._pinned.popitem()[1])
