"""Convolutions whose weight is stored as length and direction, and folding them to plain ones.

The norm is over all but the first axis, which for a transposed convolution counts *inputs*.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)


def _effective(weight_g: Tensor, weight_v: Tensor) -> Tensor:
    return weight_g * weight_v / weight_v.square().sum((1, 2), keepdim=True).sqrt()


class NormedConv(nn.Conv1d):
    """``nn.Conv1d`` with ``weight_g`` [C', 1, 1] and ``weight_v`` [C', C, K] for its weight."""

    def __init__(self, inside: int, outside: int, kernel: int, dilation: int = 1) -> None:
        padding = (kernel - 1) * dilation // 2
        super().__init__(inside, outside, kernel, padding=padding, dilation=dilation)
        _split(self)

    def forward(self, x: Tensor) -> Tensor:
        """As long as it came in."""
        return self._conv_forward(x, _effective(self.weight_g, self.weight_v), self.bias)

    def folded(self) -> nn.Conv1d:
        """The same with a plain weight."""
        plain = nn.Conv1d(
            self.in_channels, self.out_channels, self.kernel_size[0],
            padding=self.padding, dilation=self.dilation[0],
        )  # fmt: skip
        return _fill(plain, self)


class NormedConvTranspose(nn.ConvTranspose1d):
    """``nn.ConvTranspose1d`` likewise; ``weight_g`` is [C, 1, 1], one length an input channel."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int) -> None:
        super().__init__(inside, outside, kernel, stride, padding=(kernel - stride) // 2)
        _split(self)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """``stride`` times as long."""
        weight = _effective(self.weight_g, self.weight_v)
        return F.conv_transpose1d(x, weight, self.bias, self.stride, self.padding)

    def folded(self) -> nn.ConvTranspose1d:
        """The same with a plain weight."""
        plain = nn.ConvTranspose1d(
            self.in_channels, self.out_channels, self.kernel_size[0], self.stride[0],
            padding=self.padding[0],
        )  # fmt: skip
        return _fill(plain, self)


def _split(conv: nn.Conv1d | nn.ConvTranspose1d) -> None:
    direction = conv.weight
    del conv.weight
    length = direction.detach().square().sum((1, 2), keepdim=True).sqrt()
    conv.weight_g = nn.Parameter(length)
    conv.weight_v = nn.Parameter(direction.detach().clone())


Plain = TypeVar("Plain", nn.Conv1d, nn.ConvTranspose1d)


def _fill(plain: Plain, normed: NormedConv | NormedConvTranspose) -> Plain:
    with torch.no_grad():
        plain.weight.copy_(_effective(normed.weight_g, normed.weight_v))
        if plain.bias is not None and normed.bias is not None:
            plain.bias.copy_(normed.bias)
    return plain


def folded(module: Module) -> Module:
    """A copy in which every normed convolution is a plain one."""
    made = copy.deepcopy(module)
    for parent in list(made.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, NormedConv | NormedConvTranspose):
                setattr(parent, name, child.folded())
    return made
