"""GLM-4-Voice's speech tokenizer: half of Whisper large-v3's encoder, made causal, and a codebook.

log-mel (100 Hz) → causal convolution → causal convolution of stride 2 (50 Hz) → 16 pre-norm
transformer layers → mean of four frames (12.5 Hz) → nearest of 16,384 codes.

Attention is block-causal: a frame sees its own block of 4 s and all before it. Streaming is a
state: ``step`` takes whole blocks and what was before; ``forward`` is one step from silence. Speech
is cut into pieces of 30 s, each of which begins anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MASKED = -1e4  # additive; never -inf, which some accelerators turn into NaN
Cache = Sequence[tuple[Tensor, Tensor]]
"""One (k, v) pair a layer, each [B, P, H, D]."""


@dataclass(frozen=True)
class TokenizerConfig:
    mels: int = 128
    dim: int = 1280
    heads: int = 20
    ffn: int = 5120
    layers: int = 16  # of Whisper's 32; the codebook stands behind the last of them
    block: int = 200  # frames of 50 Hz: 4 s
    pool: int = 4  # frames of 50 Hz a token
    positions: int = 1500  # frames of 50 Hz in a piece: 30 s
    codes: int = 16_384

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads

    @property
    def block_mels(self) -> int:
        """Mel frames in a block: 400."""
        return 2 * self.block


class CausalConv(nn.Conv1d):
    """Kernel 3: two frames of the past and the present one. Its tail is its state."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__(inside, outside, kernel_size=3, stride=stride)

    def step(self, x: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, C, stride · T], tail [B, C, 2] → [B, C', T] and the next tail."""
        held = torch.cat([tail, x], dim=2)
        return self(held), held[:, :, -2:]


class Attention(nn.Module):
    def __init__(self, cfg: TokenizerConfig) -> None:
        super().__init__()
        self.heads = cfg.heads
        self.q_proj = nn.Linear(cfg.dim, cfg.dim)
        self.k_proj = nn.Linear(cfg.dim, cfg.dim, bias=False)
        self.v_proj = nn.Linear(cfg.dim, cfg.dim)
        self.out_proj = nn.Linear(cfg.dim, cfg.dim)

    def forward(
        self, x: Tensor, mask: Tensor, past: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """x [B, T, C], mask [T, P + T] or [B, 1, T, P + T], past [B, P, H, D] → y, new k, new v."""
        b, t, c = x.shape
        q, k, v = (f(x).view(b, t, self.heads, -1) for f in (self.q_proj, self.k_proj, self.v_proj))
        keys = torch.cat([past[0], k], dim=1).permute(0, 2, 3, 1)  # [B, H, D, P + T]
        values = torch.cat([past[1], v], dim=1).transpose(1, 2)  # [B, H, P + T, D]
        scores = (q * q.shape[-1] ** -0.5).transpose(1, 2) @ keys + mask  # [B, H, T, P + T]
        y = (scores.softmax(-1) @ values).transpose(1, 2).reshape(b, t, c)
        return self.out_proj(y), k, v


class Layer(nn.Module):
    def __init__(self, cfg: TokenizerConfig) -> None:
        super().__init__()
        self.self_attn = Attention(cfg)
        self.self_attn_layer_norm = nn.LayerNorm(cfg.dim)
        self.fc1 = nn.Linear(cfg.dim, cfg.ffn)
        self.fc2 = nn.Linear(cfg.ffn, cfg.dim)
        self.final_layer_norm = nn.LayerNorm(cfg.dim)

    def forward(
        self, x: Tensor, mask: Tensor, past: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        y, k, v = self.self_attn(self.self_attn_layer_norm(x), mask, past)
        x = x + y
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x)))), k, v


@dataclass
class TokenizerState:
    """What a piece has left behind: the two convolutions' tails and each layer's keys, values."""

    mel_tail: Tensor  # [B, mels, 2], scaled log-mel
    conv_tail: Tensor  # [B, C, 2], behind the first GELU
    past: list[tuple[Tensor, Tensor]]  # [B, P, H, D]

    @property
    def length(self) -> int:
        """Frames of 50 Hz so far."""
        return self.past[0][0].shape[1]


class Tokenizer(nn.Module):
    """Scaled log-mel to codes."""

    def __init__(self, cfg: TokenizerConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.conv1 = CausalConv(cfg.mels, cfg.dim, stride=1)
        self.conv2 = CausalConv(cfg.dim, cfg.dim, stride=2)
        self.embed_positions = nn.Embedding(cfg.positions, cfg.dim)
        self.layers = nn.ModuleList(Layer(cfg) for _ in range(cfg.layers))
        self.codebook = nn.Embedding(cfg.codes, cfg.dim)
        # Behind the codes, for recognising speech from them in training; codes do not need it.
        self.embed_positions2 = nn.Embedding(cfg.positions // cfg.pool, cfg.dim)

    def start(self, batch: int = 1) -> TokenizerState:
        """The state at the beginning of a piece."""
        cfg, weight = self.cfg, self.conv1.weight
        none = weight.new_zeros(batch, 0, cfg.heads, cfg.head_dim)
        return TokenizerState(
            weight.new_zeros(batch, cfg.mels, 2),
            weight.new_zeros(batch, cfg.dim, 2),
            [(none, none)] * cfg.layers,
        )

    def forward(self, mel: Tensor, frames: Tensor | None = None) -> Tensor:
        """Pieces [B, M, mels], M a multiple of 8 → codes int64 [B, M / 8].

        ``frames`` int64 [B] counts the frames of 50 Hz that hold sound; the others are not seen.
        """
        return self.step(mel, self.start(len(mel)), frames)[0]

    def step(
        self, mel: Tensor, state: TokenizerState, frames: Tensor | None = None
    ) -> tuple[Tensor, TokenizerState]:
        """The same for what follows ``state``, which must end with a whole block."""
        x, mel_tail, conv_tail = self.stem(mel, state.mel_tail, state.conv_tail)
        after = state.length + x.shape[1]
        positions = torch.arange(state.length, after, device=mel.device)
        mask = self.block_mask(positions, after, frames)
        x, fresh = self.encode(x, positions, mask, state.past)
        pairs = zip(state.past, fresh, strict=True)
        past = [(torch.cat([p[0], k], 1), torch.cat([p[1], v], 1)) for p, (k, v) in pairs]
        return self.quantise(x, self.half_norms()), TokenizerState(mel_tail, conv_tail, past)

    def stem(
        self, mel: Tensor, mel_tail: Tensor, conv_tail: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """[B, 2T, mels] and both tails → [B, T, C] and the next tails."""
        x, mel_tail = self.conv1.step(mel.transpose(1, 2), mel_tail)
        x, conv_tail = self.conv2.step(F.gelu(x), conv_tail)
        return F.gelu(x).transpose(1, 2), mel_tail, conv_tail

    def encode(
        self, x: Tensor, positions: Tensor, mask: Tensor, past: Cache
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """x [B, T, C] of the stem, positions int64 [T] → [B, T, C] and the cache's new rows."""
        x = x + self.embed_positions(positions)
        fresh: list[tuple[Tensor, Tensor]] = []
        for layer, before in zip(self.layers, past, strict=True):
            x, k, v = layer(x, mask, before)
            fresh.append((k, v))
        return x, fresh

    def block_mask(self, positions: Tensor, keys: int, frames: Tensor | None) -> Tensor:
        """Additive [T, keys], or [B, 1, T, keys] when ``frames`` tells where each piece ends."""
        key = torch.arange(keys, device=positions.device)
        seen = key[None, :] // self.cfg.block <= positions[:, None] // self.cfg.block
        if frames is not None:
            seen = seen & (key < frames[:, None])[:, None, None]
        return torch.where(seen, 0.0, MASKED)

    def half_norms(self) -> Tensor:
        """½‖c‖² of each code, [codes]."""
        return 0.5 * self.codebook.weight.square().sum(1)

    def quantise(self, x: Tensor, half_norms: Tensor) -> Tensor:
        """[B, T, C] → int64 [B, T / 4]: the code at the least distance, the first of equals."""
        b, t, c = x.shape
        z = x.view(b, t // self.cfg.pool, self.cfg.pool, c).mean(2)
        return (z @ self.codebook.weight.T - half_norms).argmax(-1)
