"""The velocity field of GLM-4-Voice's flow: a one-dimensional U-Net of convolutions and attention.

It sees all frames at once, in both directions, and normalises over time: frames must never be
padded, as padding changes every one of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_export.families.glm_4_voice.norms import GroupNorm, Mish


@dataclass(frozen=True)
class EstimatorConfig:
    mels: int = 80
    dim: int = 256
    heads: int = 8
    head_dim: int = 64
    transformers: int = 4  # behind each convolution block
    middle: int = 12  # blocks at half the rate
    groups: int = 8

    @property
    def inputs(self) -> int:
        """Channels of x, mu, speaker and condition together."""
        return 4 * self.mels

    @property
    def time_dim(self) -> int:
        return 4 * self.dim


class TimeMlp(nn.Module):
    def __init__(self, cfg: EstimatorConfig) -> None:
        super().__init__()
        self.rates = cfg.inputs // 2
        self.linear_1 = nn.Linear(cfg.inputs, cfg.time_dim)
        self.linear_2 = nn.Linear(cfg.time_dim, cfg.time_dim)

    def forward(self, t: Tensor) -> Tensor:
        """Times in 0 … 1 [B] → [B, time_dim]."""
        k = torch.arange(self.rates, dtype=torch.float32, device=t.device)
        angle = 1000.0 * t[:, None] * torch.exp(k * -(math.log(10_000.0) / (self.rates - 1)))
        y: Tensor = self.linear_2(F.silu(self.linear_1(torch.cat([angle.sin(), angle.cos()], -1))))
        return y


class ConvNorm(nn.Module):
    """Convolution of three frames, group normalisation, Mish."""

    def __init__(self, inside: int, outside: int, groups: int) -> None:
        super().__init__()
        conv = nn.Conv1d(inside, outside, 3, padding=1)
        self.block = nn.Sequential(conv, GroupNorm(groups, outside), Mish())

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.block(x)
        return y


class Resnet(nn.Module):
    def __init__(self, inside: int, cfg: EstimatorConfig) -> None:
        super().__init__()
        self.mlp = nn.Sequential(Mish(), nn.Linear(cfg.time_dim, cfg.dim))
        self.block1 = ConvNorm(inside, cfg.dim, cfg.groups)
        self.block2 = ConvNorm(cfg.dim, cfg.dim, cfg.groups)
        self.res_conv = nn.Conv1d(inside, cfg.dim, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """x [B, inside, F], time [B, time_dim] → [B, dim, F]."""
        y = self.block2(self.block1(x) + self.mlp(time)[:, :, None])
        out: Tensor = y + self.res_conv(x)
        return out


class Attention(nn.Module):
    def __init__(self, cfg: EstimatorConfig) -> None:
        super().__init__()
        self.heads = cfg.heads
        inner = cfg.heads * cfg.head_dim
        self.to_q = nn.Linear(cfg.dim, inner, bias=False)
        self.to_k = nn.Linear(cfg.dim, inner, bias=False)
        self.to_v = nn.Linear(cfg.dim, inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, cfg.dim))

    def forward(self, x: Tensor) -> Tensor:
        """[B, F, C], every frame seen by every other."""
        b, t, _ = x.shape
        q, k, v = (f(x).view(b, t, self.heads, -1) for f in (self.to_q, self.to_k, self.to_v))
        scores = (q * q.shape[-1] ** -0.5).transpose(1, 2) @ k.permute(0, 2, 3, 1)  # [B, H, F, F]
        y = scores.softmax(-1) @ v.transpose(1, 2)
        out: Tensor = self.to_out(y.transpose(1, 2).reshape(b, t, -1))
        return out


class GeluIn(nn.Module):
    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.proj = nn.Linear(inside, outside)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.proj(x))


class FeedForward(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.net = nn.Sequential(GeluIn(dim, 4 * dim), nn.Identity(), nn.Linear(4 * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.net(x)
        return y


class Transformer(nn.Module):
    def __init__(self, cfg: EstimatorConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(cfg.dim)
        self.attn1 = Attention(cfg)
        self.norm3 = nn.LayerNorm(cfg.dim)
        self.ff = FeedForward(cfg.dim)

    def forward(self, x: Tensor) -> Tensor:
        """[B, F, C] → [B, F, C]."""
        x = x + self.attn1(self.norm1(x))
        y: Tensor = x + self.ff(self.norm3(x))
        return y


class Down(nn.Module):
    """Half the frames; an odd last one counts as two."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(dim, dim, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y


class Up(nn.Module):
    """Twice the frames."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose1d(dim, dim, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y


class Stage(nn.ModuleList):
    """A convolution block, its transformers and, at the ends of the U, what changes the rate."""

    def __init__(self, inside: int, cfg: EstimatorConfig, last: nn.Module | None = None) -> None:
        transformers = nn.ModuleList(Transformer(cfg) for _ in range(cfg.transformers))
        super().__init__([Resnet(inside, cfg), transformers, *([last] if last else [])])

    def forward(self, x: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, inside, F] → [B, dim, F] before and behind the change of rate, if there is one."""
        x = self[0](x, time).transpose(1, 2)
        for transformer in cast(nn.ModuleList, self[1]):
            x = transformer(x)
        x = x.transpose(1, 2)
        return x, self[2](x) if len(self) > 2 else x


class Estimator(nn.Module):
    """dx/dt of the flow at x and t."""

    def __init__(self, cfg: EstimatorConfig) -> None:
        super().__init__()
        self.cfg = cfg
        dim = cfg.dim
        self.time_mlp = TimeMlp(cfg)
        same = [nn.Conv1d(dim, dim, 3, padding=1) for _ in range(2)]
        self.down_blocks = nn.ModuleList(
            [Stage(cfg.inputs, cfg, Down(dim)), Stage(dim, cfg, same[0])]
        )
        self.mid_blocks = nn.ModuleList(Stage(dim, cfg) for _ in range(cfg.middle))
        self.up_blocks = nn.ModuleList([Stage(2 * dim, cfg, Up(dim)), Stage(2 * dim, cfg, same[1])])
        self.final_block = ConvNorm(dim, dim, cfg.groups)
        self.final_proj = nn.Conv1d(dim, cfg.mels, 1)

    def forward(self, x: Tensor, mu: Tensor, cond: Tensor, t: Tensor, spks: Tensor) -> Tensor:
        """x, mu, cond [B, 80, F], t [B] in 0 … 1, spks [B, 80] → velocity [B, 80, F]."""
        time = self.time_mlp(t)
        speaker = spks[:, :, None].expand(-1, -1, x.shape[2])
        x = torch.cat([x, mu, speaker, cond], dim=1)
        skips = []
        for block in self.down_blocks:
            skip, x = block(x, time)
            skips.append(skip)
        for block in self.mid_blocks:
            _, x = block(x, time)
        for block in self.up_blocks:
            skip = skips.pop()
            x = torch.cat([x[:, :, : skip.shape[2]], skip], dim=1)
            _, x = block(x, time)
        y: Tensor = self.final_proj(self.final_block(x))
        return y
