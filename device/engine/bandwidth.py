"""How fast this machine's memory is, measured by copying: the yardstick of a language model.

A copy reads and writes, so its traffic is twice its size; both are counted, as the makers of memory
count them.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from device.engine.gpu import Gpu

ROUNDS = 5


def host_gb_s(size: int, rounds: int = ROUNDS, threads: int = 1) -> float:
    """Gigabytes (10^9) per second that are moved in main memory; the best of some rounds."""
    source, target = np.ones(size, np.uint8), np.zeros(size, np.uint8)
    edges = [size * number // threads for number in range(threads + 1)]
    pieces = [slice(first, end) for first, end in pairwise(edges)]
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(rounds):
            start = time.perf_counter()
            list(pool.map(lambda piece: np.copyto(target[piece], source[piece]), pieces))
            best = max(best, 2 * size / max(time.perf_counter() - start, 1e-9))
    return best / 1e9


def device_gb_s(gpu: Gpu, size: int, rounds: int = ROUNDS) -> float:
    """The same within the GPU's memory, by the GPU's own clock.

    Raises:
        CudaError: the memory does not suffice.
    """
    return gpu.thread.call(_device, gpu, size, rounds)


def _device(gpu: Gpu, size: int, rounds: int) -> float:
    cuda, best = gpu.cuda, 0.0
    held: list[int] = []
    stream = cuda.stream()
    try:
        for _ in range(2):
            held.append(cuda.alloc(size))
        cuda.zero(held[0], size, stream)
        for _ in range(rounds):
            first = cuda.event(stream)
            cuda.d2d(held[1], held[0], size, stream)
            last = cuda.event(stream)
            cuda.synchronize(stream)
            best = max(best, 2 * size / max(cuda.elapsed_ms(first, last) / 1e3, 1e-9))
    finally:
        for address in held:
            cuda.free(address)
        cuda.destroy_stream(stream)
    return best / 1e9
