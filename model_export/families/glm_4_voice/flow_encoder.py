"""The encoder of GLM-4-Voice's flow: a transformer over speech tokens with relative positions.

Attention is block-causal in blocks of ten tokens, so with the keys and values of what was before,
a step of one block gives exactly what the whole sequence gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from device.speech.glm_frames import BLOCK

MASKED = -1e4  # additive; never -inf, which some accelerators turn into NaN
Cache = Sequence[tuple[Tensor, Tensor]]
"""One (k, v) pair a layer, each [B, P, H, D]."""


@dataclass(frozen=True)
class FlowEncoderConfig:
    dim: int = 512
    heads: int = 8
    ffn: int = 2048
    layers: int = 6
    positions: int = 1024  # tokens: 82 s; the table of positions is computed, not stored

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads


def relative_table(cfg: FlowEncoderConfig) -> Tensor:
    """Sines and cosines, interleaved, of distances 1 - n … n - 1, [2 n - 1, C]."""
    k = torch.arange(0, cfg.dim, 2, dtype=torch.float32)
    rate = torch.exp(k * -(torch.log(torch.tensor(10_000.0)) / cfg.dim))
    distance = torch.arange(1 - cfg.positions, cfg.positions, dtype=torch.float32)
    angle = distance[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], dim=-1).reshape(len(distance), cfg.dim)


class RelativeAttention(nn.Module):
    """Content and distance (Transformer-XL): ((q + u) · k + (q + v) · p) / √D."""

    def __init__(self, cfg: FlowEncoderConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.linear_q = nn.Linear(cfg.dim, cfg.dim)
        self.linear_k = nn.Linear(cfg.dim, cfg.dim)
        self.linear_v = nn.Linear(cfg.dim, cfg.dim)
        self.linear_out = nn.Linear(cfg.dim, cfg.dim)
        self.linear_pos = nn.Linear(cfg.dim, cfg.dim, bias=False)
        self.pos_bias_u = nn.Parameter(torch.zeros(cfg.heads, cfg.head_dim))
        self.pos_bias_v = nn.Parameter(torch.zeros(cfg.heads, cfg.head_dim))

    def distances(self, table: Tensor) -> Tensor:
        """``relative_table`` as this layer sees it, [H, D, 2n - 1]."""
        far: Tensor = self.linear_pos(table)
        return far.view(-1, self.cfg.heads, self.cfg.head_dim).permute(1, 2, 0)

    def forward(
        self, x: Tensor, distances: Tensor, places: Tensor, mask: Tensor,
        past: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        """x [B, T, C], past [B, P, H, D] → y [B, T, C], new k and v [B, T, H, D].

        ``places`` int64 [T, P + T] says where in a query's row of 2n - 1 distances a key's lies,
        all rows counted through; ``mask`` is additive [T, P + T].
        """
        b, t, c = x.shape
        cfg = self.cfg
        q, k, v = (
            f(x).view(b, t, cfg.heads, cfg.head_dim)
            for f in (self.linear_q, self.linear_k, self.linear_v)
        )
        keys = torch.cat([past[0], k], dim=1).permute(0, 2, 3, 1)  # [B, H, D, P + T]
        values = torch.cat([past[1], v], dim=1).transpose(1, 2)  # [B, H, P + T, D]
        content = (q + self.pos_bias_u).transpose(1, 2) @ keys  # [B, H, T, P + T]
        far = (q + self.pos_bias_v).transpose(1, 2) @ distances  # [B, H, T, 2n - 1]
        far = far.flatten(2).index_select(2, places.flatten()).view(content.shape)
        scores = (content + far) * cfg.head_dim**-0.5 + mask
        y = (scores.softmax(-1) @ values).transpose(1, 2).reshape(b, t, c)
        return self.linear_out(y), k, v


class FeedForward(nn.Module):
    def __init__(self, cfg: FlowEncoderConfig) -> None:
        super().__init__()
        self.w_1 = nn.Linear(cfg.dim, cfg.ffn)
        self.w_2 = nn.Linear(cfg.ffn, cfg.dim)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.w_2(F.silu(self.w_1(x)))
        return y


class EncoderLayer(nn.Module):
    def __init__(self, cfg: FlowEncoderConfig) -> None:
        super().__init__()
        self.self_attn = RelativeAttention(cfg)
        self.feed_forward = FeedForward(cfg)
        self.norm_ff = nn.LayerNorm(cfg.dim)
        self.norm_mha = nn.LayerNorm(cfg.dim)

    def forward(
        self, x: Tensor, distances: Tensor, places: Tensor, mask: Tensor,
        past: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        """As ``RelativeAttention.forward``."""
        y, k, v = self.self_attn(self.norm_mha(x), distances, places, mask, past)
        x = x + y
        return x + self.feed_forward(self.norm_ff(x)), k, v


class FlowEncoder(nn.Module):
    """Embedded tokens to hidden frames at the tokens' rate."""

    def __init__(self, cfg: FlowEncoderConfig) -> None:
        super().__init__()
        self.cfg = cfg
        into = nn.Sequential(nn.Linear(cfg.dim, cfg.dim), nn.LayerNorm(cfg.dim))
        self.embed = nn.ModuleDict({"out": into})
        self.encoders = nn.ModuleList(EncoderLayer(cfg) for _ in range(cfg.layers))
        self.after_norm = nn.LayerNorm(cfg.dim)
        self.register_buffer("table", relative_table(cfg), persistent=False)
        self.table: Tensor

    def forward(
        self, x: Tensor, positions: Tensor, mask: Tensor, past: Cache, distances: Sequence[Tensor]
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """x [B, T, C], positions int64 [T], mask [T, P + T] → [B, T, C], the cache's new rows.

        Past rows lie at positions 0, 1, 2 …; ``distances`` are those of ``self.distances()``.
        """
        x = self.embed["out"](x) * self.cfg.dim**0.5
        places = self._places(positions, past[0][0].shape[1])
        fresh: list[tuple[Tensor, Tensor]] = []
        for layer, far, before in zip(self.encoders, distances, past, strict=True):
            x, k, v = layer(x, far, places, mask, before)
            fresh.append((k, v))
        return self.after_norm(x), fresh

    def distances(self) -> list[Tensor]:
        """Each layer's keys of all distances; they depend on nothing but the weights."""
        layers = cast(Iterable[EncoderLayer], self.encoders)
        return [layer.self_attn.distances(self.table) for layer in layers]

    def _places(self, positions: Tensor, past: int) -> Tensor:
        """int64 [T, P + T] for ``RelativeAttention``."""
        keys = torch.cat([torch.arange(past, device=positions.device), positions])
        row = positions[:, None] - keys[None, :] + (self.cfg.positions - 1)
        first = torch.arange(positions.shape[0], device=positions.device)
        return row + first[:, None] * (2 * self.cfg.positions - 1)


def block_mask(positions: Tensor, keys: int) -> Tensor:
    """Additive [T, keys]: a token sees its own block of ten and all before it."""
    key = torch.arange(keys, device=positions.device)
    return torch.where(key[None, :] // BLOCK <= positions[:, None] // BLOCK, 0.0, MASKED)
