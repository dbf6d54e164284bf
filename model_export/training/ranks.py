"""Several single-thread processes that train one model: gradients, clock and stop agreed on."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn


def run_ranks(train: Callable[..., None], ranks: int, *args: Any) -> None:
    """``train(rank, *args)`` in each of ``ranks`` processes on this machine."""
    if ranks == 1:
        train(0, *args)
        return
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "29531")
    spawn(train, args, nprocs=ranks)  # type: ignore[no-untyped-call]


def join(rank: int, ranks: int) -> torch.device:
    """Meet the others; returns where to compute. On a CPU each process keeps to one thread."""
    cuda = torch.cuda.is_available()
    torch.set_num_threads(4 if cuda else 1)
    if ranks > 1:
        dist.init_process_group("gloo", rank=rank, world_size=ranks)
    return torch.device("cuda" if cuda else "cpu")


def average_gradients(model: nn.Module, ranks: int) -> bool:
    """Average over processes; False when any gradient of any process is not finite."""
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in grads])
    if ranks > 1:
        dist.all_reduce(flat)
        flat /= ranks
        start = 0
        for g in grads:
            g.copy_(flat[start : start + g.numel()].view_as(g))
            start += g.numel()
    return bool(torch.isfinite(flat).all())


def agree(values: list[float], ranks: int) -> list[float]:
    """Process 0's values, for all."""
    if ranks == 1:
        return values
    shared = torch.tensor(values, dtype=torch.float64)
    dist.broadcast(shared, 0)
    return [float(v) for v in shared]


def share(tensors: list[Tensor], ranks: int) -> None:
    """Process 0's tensors, copied into everybody's."""
    for tensor in tensors if ranks > 1 else []:
        dist.broadcast(tensor, 0)
