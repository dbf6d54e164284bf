"""Memory that an export has done with, given back while it goes on.

The bar is the peak of the whole export, and its parts come one after another: what the one before
left behind is in the way of the next. Python and glibc would keep most of it for later use.
"""

from __future__ import annotations

import ctypes
import gc

from torch import nn

LARGE = 1 << 20  # bytes of a block that goes back to the system as soon as it is freed
_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of glibc's malloc.h


def keep_large_blocks_apart() -> None:
    """Let glibc serve large blocks from mappings of their own; elsewhere, do nothing.

    By itself it learns to take blocks of up to 32 MB from its heap, where one small array that
    lives on holds everything below it: layers that were read and forgotten then add up.
    """
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is not None:
        tune(_MMAP_THRESHOLD, LARGE)


def give_back() -> None:
    """Collect cycles, which exporters leave, and return free pages to the system."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def empty(model: nn.Module) -> None:
    """Drop the weights of a module that will not run again, whoever still refers to them.

    onnxscript's rewriting rules hold the last graph that they saw, and so what was traced.
    """
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.new_empty(0)
