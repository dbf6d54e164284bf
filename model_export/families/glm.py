"""The decoder-only language model of GLM-4 and GLM-4-Voice, at any size.

RMSNorm before attention and before the SwiGLU feed-forward, grouped key-value heads, a bias on the
query, key and value projections only, rotary embedding of the first half of each head in
interleaved pairs, an untied output layer. ``linnet_mini`` is this class at 6 M parameters, the 9 B
checkpoint is this class at its own ``config.json`` (THUDM GLM-4, arXiv:2406.12793).

``forward(ids, positions, mask, past)`` serves prefill and decoding alike and returns only the new
rows of the key-value cache: the caller owns the cache.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Cache = list[tuple[Tensor, Tensor]]
"""One (k, v) pair a layer, each [P, n_kv, d_head]; keys are stored rotated."""


@dataclass(frozen=True)
class GlmConfig:
    vocab: int
    dim: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64  # 2 × 64 × 2 bytes = 256: a cache row is aligned for in-place append
    ffn: int = 704
    max_len: int = 512
    norm_eps: float = 1e-5
    rope_theta: float = 10_000.0

    @property
    def rotary(self) -> int:
        """Rotated dimensions of a head: the first half."""
        return self.head_dim // 2


def rope_tables(cfg: GlmConfig) -> tuple[Tensor, Tensor]:
    """cos and sin, float32 [max_len, rotary / 2]."""
    k = torch.arange(cfg.rotary // 2, dtype=torch.float32)
    angle = torch.arange(cfg.max_len)[:, None] * cfg.rope_theta ** (-2 * k / cfg.rotary)
    return angle.cos(), angle.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor, rotary: int) -> Tensor:
    """x [..., T, H, D]: rotate pairs (2k, 2k + 1) of the first ``rotary`` dimensions."""
    head, rest = x[..., :rotary], x[..., rotary:]
    pairs = head.reshape(*head.shape[:-1], rotary // 2, 2)
    a, b = pairs[..., 0], pairs[..., 1]  # [..., T, H, rotary / 2]
    cos, sin = cos[:, None], sin[:, None]  # [T, 1, rotary / 2]
    turned = torch.stack([a * cos - b * sin, b * cos + a * sin], dim=-1)
    return torch.cat([turned.reshape(head.shape), rest], dim=-1)


class RmsNorm(nn.Module):
    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.reciprocal(torch.sqrt((x * x).mean(-1, keepdim=True) + self.eps))
        return x * scale * self.weight


class GlmLayer(nn.Module):
    def __init__(self, cfg: GlmConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.input_layernorm = RmsNorm(cfg.dim, cfg.norm_eps)
        self.query_key_value = nn.Linear(cfg.dim, (cfg.heads + 2 * cfg.kv_heads) * cfg.head_dim)
        self.dense = nn.Linear(cfg.heads * cfg.head_dim, cfg.dim, bias=False)
        self.post_attention_layernorm = RmsNorm(cfg.dim, cfg.norm_eps)
        self.dense_h_to_4h = nn.Linear(cfg.dim, 2 * cfg.ffn, bias=False)  # gate rows, then up rows
        self.dense_4h_to_h = nn.Linear(cfg.ffn, cfg.dim, bias=False)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """x [B, T, C], mask [T, P + T] or [B, 1, T, P + T], past [B, P, n_kv, D] each."""
        cfg = self.cfg
        b, t, _ = x.shape
        qkv = self.query_key_value(self.input_layernorm(x))
        q, k, v = qkv.view(b, t, -1, cfg.head_dim).split([cfg.heads, cfg.kv_heads, cfg.kv_heads], 2)
        q, k = rotate(q, cos, sin, cfg.rotary), rotate(k, cos, sin, cfg.rotary)
        keys, values = k, v
        if past is not None:
            keys, values = torch.cat([past[0], k], dim=1), torch.cat([past[1], v], dim=1)
        y = self._attend(q, keys, values, mask).reshape(b, t, -1)
        x = x + self.dense(y)
        gate, up = self.dense_h_to_4h(self.post_attention_layernorm(x)).split(cfg.ffn, dim=-1)
        return x + self.dense_4h_to_h(F.silu(gate) * up), k, v

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        """q [B, T, H, D], k and v [B, S, n_kv, D] → [B, T, H, D]; each kv head serves a group."""
        cfg = self.cfg
        b, t = q.shape[:2]
        group = cfg.heads // cfg.kv_heads
        q = q.view(b, t, cfg.kv_heads, group, cfg.head_dim).permute(0, 2, 3, 1, 4)
        k = k.permute(0, 2, 3, 1).unsqueeze(2)  # [B, n_kv, 1, D, S]
        v = v.permute(0, 2, 1, 3).unsqueeze(2)  # [B, n_kv, 1, S, D]
        if mask.dim() == 4:
            mask = mask.unsqueeze(1)
        scores = (q * cfg.head_dim**-0.5) @ k + mask  # [B, n_kv, group, T, S]
        y: Tensor = (scores.softmax(-1) @ v).permute(0, 3, 1, 2, 4)
        return y.reshape(b, t, cfg.heads, -1)


class Glm(nn.Module):
    """Token ids to next-token logits."""

    def __init__(self, cfg: GlmConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.word_embeddings = nn.Embedding(cfg.vocab, cfg.dim)
        self.layers = nn.ModuleList(GlmLayer(cfg) for _ in range(cfg.layers))
        self.final_layernorm = RmsNorm(cfg.dim, cfg.norm_eps)
        self.output_layer = nn.Linear(cfg.dim, cfg.vocab, bias=False)
        cos, sin = rope_tables(cfg)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self.cos: Tensor
        self.sin: Tensor
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                scale = 0.02 if "dense_4h" not in name and "dense." not in name else 0.01
                nn.init.normal_(weight, std=scale)

    def forward(
        self, ids: Tensor, positions: Tensor, mask: Tensor, past: Cache | None = None
    ) -> tuple[Tensor, Cache]:
        """ids int64 [B, T], positions int64 [T], mask → hidden [B, T, C], new cache rows."""
        cos, sin = self.cos[positions], self.sin[positions]
        x = self.word_embeddings(ids)
        fresh: Cache = []
        for n, layer in enumerate(self.layers):
            x, k, v = layer(x, cos, sin, mask, None if past is None else past[n])
            fresh.append((k, v))
        return self.final_layernorm(x), fresh


def causal_mask(length: int, device: torch.device | None = None) -> Tensor:
    """Additive float32 [T, T]; -1e4 rather than -inf, which some accelerators turn into NaN."""
    full = torch.full((length, length), -1e4, device=device)
    return torch.triu(full, diagonal=1)
