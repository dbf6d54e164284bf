"""Group normalisation and Mish in operators that every TensorRT reads alike.

``nn.GroupNorm`` exports as an operator that some versions take for instance normalisation, and
Softplus is not among those all of them have. Same values, other words.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GroupNorm(nn.GroupNorm):
    """Mean and variance over a group's channels and all of time."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] → [B, C, T]."""
        b, c, t = x.shape
        groups = x.reshape(b, self.num_groups, c // self.num_groups, t)
        centred = groups - groups.mean((2, 3), keepdim=True)
        variance = (centred * centred).mean((2, 3), keepdim=True)
        y = (centred * torch.reciprocal(torch.sqrt(variance + self.eps))).reshape(b, c, t)
        return y * self.weight[:, None] + self.bias[:, None]


class Mish(nn.Module):
    """x · tanh(ln(1 + eˣ)), in a form that cannot overflow."""

    def forward(self, x: Tensor) -> Tensor:
        softplus = F.relu(x) + torch.log(1.0 + torch.exp(-(F.relu(x) + F.relu(-x))))
        return x * torch.tanh(softplus)
