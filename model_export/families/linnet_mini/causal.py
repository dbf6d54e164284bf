"""Causal convolution blocks whose memory is an explicit tensor: streamed equals whole utterance."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class CausalConv(nn.Module):
    """Conv1d that sees the present and the ``kernel - 1`` frames before it."""

    def __init__(self, c_in: int, c_out: int, kernel: int, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(c_in, c_out, kernel, groups=groups)
        self.tail_shape = (c_in, kernel - 1)

    def tail(self, batch: int = 1) -> Tensor:
        """The silence before a stream begins, float32[batch, c_in, kernel - 1]."""
        return self.conv.weight.new_zeros(batch, *self.tail_shape)

    def step(self, x: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, c_in, T], tail [B, c_in, k-1] → y [B, c_out, T] and the next tail."""
        held = torch.cat([tail, x], dim=2)  # [B, c_in, k-1+T]
        return self.conv(held), held[:, :, -self.tail_shape[1] :]


class ConvBlock(nn.Module):
    """Depthwise causal convolution, then a two-layer perceptron on each frame (ConvNeXt)."""

    def __init__(self, dim: int, hidden: int, kernel: int) -> None:
        super().__init__()
        self.mix = CausalConv(dim, dim, kernel, groups=dim)
        self.norm = nn.LayerNorm(dim)
        self.up = nn.Linear(dim, hidden)
        self.down = nn.Linear(hidden, dim)

    def tail(self, batch: int = 1) -> Tensor:
        """float32[batch, dim, kernel - 1] of zeros."""
        return self.mix.tail(batch)

    def step(self, x: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, dim, T] → [B, dim, T] and the next tail."""
        y, tail = self.mix.step(x, tail)
        y = self.norm(y.transpose(1, 2))  # [B, T, dim]
        y = self.down(F.gelu(self.up(y)))
        return x + y.transpose(1, 2), tail
