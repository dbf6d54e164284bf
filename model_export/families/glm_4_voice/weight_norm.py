"""Convolutions whose weight is stored as length and direction, and folding them to plain ones.

The norm is over all but the first axis, which for a transposed convolution counts *inputs*.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch.nn.functional as F
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)


class Normed(nn.Module):
    """``weight_g`` [n, 1, 1] and ``weight_v`` [n, m, K] instead of ``weight`` [n, m, K]."""

    def split(self, plain: nn.Conv1d | nn.ConvTranspose1d) -> None:
        """Take over a convolution's weight and bias."""
        direction = plain.weight.detach()
        self.weight_g = nn.Parameter(direction.square().sum((1, 2), keepdim=True).sqrt())
        self.weight_v = nn.Parameter(direction)
        self.bias = plain.bias

    def weight(self) -> Tensor:
        """The weight that the two make."""
        length = self.weight_v.square().sum((1, 2), keepdim=True).sqrt()
        return self.weight_g * self.weight_v / length

    def plain(self) -> nn.Conv1d | nn.ConvTranspose1d:
        """A convolution with that weight."""
        raise NotImplementedError


class NormedConv(Normed):
    """As long as it came in."""

    def __init__(self, inside: int, outside: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        self.sizes = inside, outside, kernel
        self.padding, self.dilation = (kernel - 1) * dilation // 2, dilation
        self.split(self._empty())

    def _empty(self) -> nn.Conv1d:
        return nn.Conv1d(*self.sizes, padding=self.padding, dilation=self.dilation)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inside, T] → [B, outside, T]."""
        weight = self.weight()
        return F.conv1d(x, weight, self.bias, padding=self.padding, dilation=self.dilation)

    def plain(self) -> nn.Conv1d:
        return _filled(self._empty(), self)


class NormedConvTranspose(Normed):
    """``stride`` times as long; a length for each *input* channel."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.sizes = inside, outside, kernel
        self.stride, self.padding = stride, (kernel - stride) // 2
        self.split(self._empty())

    def _empty(self) -> nn.ConvTranspose1d:
        return nn.ConvTranspose1d(*self.sizes, stride=self.stride, padding=self.padding)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inside, T] → [B, outside, stride · T]."""
        return F.conv_transpose1d(x, self.weight(), self.bias, self.stride, self.padding)

    def plain(self) -> nn.ConvTranspose1d:
        return _filled(self._empty(), self)


Plain = TypeVar("Plain", nn.Conv1d, nn.ConvTranspose1d)


def _filled(empty: Plain, normed: Normed) -> Plain:
    empty.weight = nn.Parameter(normed.weight().detach())
    empty.bias = normed.bias
    return empty


def folded(module: Module) -> Module:
    """A copy in which every normed convolution is a plain one."""
    made = copy.deepcopy(module)
    for parent in list(made.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Normed):
                setattr(parent, name, child.plain())
    return made
