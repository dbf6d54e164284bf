"""The streaming speech tokenizer of ``linnet_mini``.

log-mel (100 Hz) → two causal convolutions (25 Hz) → block-causal encoder → pool (12.5 Hz) → vector
quantiser → post blocks; a CTC head over letters reads each side of the quantiser at 50 Hz. The one
before it stays at run time to judge candidate sentences; the one behind it makes the codes carry
what was said. Shaped like GLM-4-Voice's tokenizer (THUDM, arXiv:2412.02612) at 1/100 of the size.

Attention is block-causal: a frame sees its own 320 ms block and 2.88 s before it, so a block can be
computed the moment it is complete. Streaming is a state: ``Tokenizer.step`` takes one block and the
state; ``Tokenizer.forward`` takes an utterance; a test proves them equal.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MASKED = -1e4  # additive; never -inf, which some accelerators turn into NaN


@dataclass(frozen=True)
class TokenizerConfig:
    n_mels: int = 80
    dim: int = 192
    heads: int = 4
    ffn: int = 576
    pre_blocks: int = 4
    post_blocks: int = 2
    kernel: int = 9  # depthwise convolution, frames
    block: int = 8  # frames of 25 Hz a block: 320 ms
    left_blocks: int = 9  # blocks of context before the current one: 2.88 s
    codes: int = 1024
    code_dim: int = 64
    letters: int = 29  # blank, space, a–z, apostrophe

    @property
    def block_mels(self) -> int:
        return self.block * 4  # 32 mel frames of 10 ms

    @property
    def context(self) -> int:
        return self.block * self.left_blocks  # 72 frames of 25 Hz


def rope(x: Tensor, positions: Tensor) -> Tensor:
    """Rotate the halves of ``x`` [..., T, D] by position; half-split form."""
    half = x.shape[-1] // 2
    freq = 10_000.0 ** (-torch.arange(half, device=x.device, dtype=torch.float32) / half)
    angle = positions[:, None].float() * freq  # [T, D/2]
    cos, sin = angle.cos(), angle.sin()
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


class CausalConv(nn.Module):
    """A stride-2 convolution that sees only the past; its tail is its state."""

    def __init__(self, inside: int, outside: int, kernel: int = 4, stride: int = 2) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inside, outside, kernel, stride)
        self.tail = kernel - stride

    def forward(self, x: Tensor, tail: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """[B, C, T] and the last ``tail`` inputs → [B, C', T / 2] and the next tail."""
        if tail is None:
            tail = x.new_zeros(x.shape[0], x.shape[1], self.tail)
        x = torch.cat([tail, x], dim=2)
        return self.conv(x), x[:, :, -self.tail :]


class Attention(nn.Module):
    """Multi-head attention with the keys and values of earlier blocks passed in."""

    def __init__(self, cfg: TokenizerConfig) -> None:
        super().__init__()
        self.heads = cfg.heads
        self.norm = nn.LayerNorm(cfg.dim)
        self.qkv = nn.Linear(cfg.dim, 3 * cfg.dim)
        self.out = nn.Linear(cfg.dim, cfg.dim)

    def forward(
        self, x: Tensor, positions: Tensor, mask: Tensor, past_k: Tensor, past_v: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """x [B, T, C], mask [T, P + T], past [B, P, H, D] → y, new k, new v [B, T, H, D]."""
        b, t, c = x.shape
        q, k, v = self.qkv(self.norm(x)).view(b, t, 3, self.heads, -1).unbind(2)  # [B, T, H, D]
        q = rope(q.transpose(1, 2), positions)  # [B, H, T, D]
        k = rope(k.transpose(1, 2), positions).transpose(1, 2)  # [B, T, H, D], rotated
        keys = torch.cat([past_k, k], dim=1).permute(0, 2, 3, 1)  # [B, H, D, P + T]
        values = torch.cat([past_v, v], dim=1).transpose(1, 2)  # [B, H, P + T, D]
        scores = q @ keys * (q.shape[-1] ** -0.5) + mask
        y = (scores.softmax(-1) @ values).transpose(1, 2).reshape(b, t, c)
        return x + self.out(y), k, v


class ConvGlu(nn.Module):
    """Gated causal depthwise convolution: local shape, as a Conformer's convolution module."""

    def __init__(self, cfg: TokenizerConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(cfg.dim)
        self.into = nn.Linear(cfg.dim, 2 * cfg.dim)
        self.depth = nn.Conv1d(cfg.dim, cfg.dim, cfg.kernel, groups=cfg.dim)
        self.out = nn.Linear(cfg.dim, cfg.dim)
        self.tail = cfg.kernel - 1

    def forward(self, x: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, T, C], tail [B, C, k - 1] → y and the next tail."""
        a, gate = self.into(self.norm(x)).chunk(2, dim=-1)
        h = torch.cat([tail, (a * gate.sigmoid()).transpose(1, 2)], dim=2)  # [B, C, k - 1 + T]
        y = F.silu(self.depth(h)).transpose(1, 2)
        return x + self.out(y), h[:, :, -self.tail :]


class Block(nn.Module):
    """Attention, convolution, feed-forward."""

    def __init__(self, cfg: TokenizerConfig) -> None:
        super().__init__()
        self.attention = Attention(cfg)
        self.conv = ConvGlu(cfg)
        self.norm = nn.LayerNorm(cfg.dim)
        self.up = nn.Linear(cfg.dim, cfg.ffn)
        self.down = nn.Linear(cfg.ffn, cfg.dim)

    def forward(
        self, x: Tensor, positions: Tensor, mask: Tensor, state: BlockState
    ) -> tuple[Tensor, BlockState]:
        x, k, v = self.attention(x, positions, mask, state.k, state.v)
        x, tail = self.conv(x, state.tail)
        x = x + self.down(F.silu(self.up(self.norm(x))))
        return x, BlockState(k, v, tail)


@dataclass
class BlockState:
    """What a block remembers: past keys and values [B, P, H, D], convolution tail [B, C, k - 1]."""

    k: Tensor
    v: Tensor
    tail: Tensor


class VectorQuantiser(nn.Module):
    """Nearest code by Euclidean distance; the codebook follows the data (EMA, VQ-VAE)."""

    def __init__(self, cfg: TokenizerConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(cfg.code_dim, elementwise_affine=False)
        self.register_buffer("codebook", torch.randn(cfg.codes, cfg.code_dim))
        self.register_buffer("counts", torch.ones(cfg.codes))
        self.register_buffer("sums", torch.randn(cfg.codes, cfg.code_dim))
        self.codebook: Tensor
        self.counts: Tensor
        self.sums: Tensor

    def indices(self, z: Tensor) -> Tensor:
        """[..., code_dim], normalised → int64 codes [...]."""
        distance = (self.codebook**2).sum(1) - 2 * (z @ self.codebook.T)
        return distance.argmin(-1)

    @torch.no_grad()
    def learn(self, z: Tensor, decay: float = 0.99) -> None:
        """Move the codebook towards z [N, code_dim]; unused codes restart from the data."""
        chosen = F.one_hot(self.indices(z), len(self.codebook)).to(z.dtype)  # [N, codes]
        self.counts.lerp_(chosen.sum(0), 1 - decay)
        self.sums.lerp_(chosen.T @ z, 1 - decay)
        dead = self.counts < 0.03
        if dead.any():
            fresh = z[torch.randint(len(z), (int(dead.sum()),))]
            self.sums[dead], self.counts[dead] = fresh, 1.0
        self.codebook.copy_(self.sums / self.counts[:, None].clamp(min=1e-3))


@dataclass
class Encoded:
    """What the tokenizer makes of speech."""

    codes: Tensor  # int64 [B, T / 8]
    ctc: Tensor  # log-probabilities before the quantiser [B, T / 2, letters]
    ctc_post: Tensor  # the same, behind it
    z: Tensor  # normalised vectors offered to the quantiser [B, T / 8, code_dim]


class Tokenizer(nn.Module):
    """log-mel → codes and letters; see the module's docstring."""

    def __init__(self, cfg: TokenizerConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.conv1 = CausalConv(cfg.n_mels, cfg.dim)
        self.conv2 = CausalConv(cfg.dim, cfg.dim)
        self.pre = nn.ModuleList(Block(cfg) for _ in range(cfg.pre_blocks))
        self.pre_norm = nn.LayerNorm(cfg.dim)
        self.ctc = nn.Linear(cfg.dim, 2 * cfg.letters)  # 25 Hz → 50 Hz
        self.pool = nn.Linear(2 * cfg.dim, cfg.code_dim)  # 25 Hz → 12.5 Hz
        self.quantiser = VectorQuantiser(cfg)
        self.expand = nn.Linear(cfg.code_dim, 2 * cfg.dim)  # back to 25 Hz
        self.post = nn.ModuleList(Block(cfg) for _ in range(cfg.post_blocks))
        self.post_norm = nn.LayerNorm(cfg.dim)
        self.ctc_post = nn.Linear(cfg.dim, 2 * cfg.letters)

    # -- whole utterances, for training ------------------------------------------------------

    def forward(self, mel: Tensor, quantise: bool = True) -> Encoded:
        """mel [B, T, n_mels], T a multiple of 32."""
        b, t, _ = mel.shape
        frames = t // 4
        positions = torch.arange(frames, device=mel.device)
        mask = self.block_mask(frames, mel.device)
        x = self._stem(mel, None, None)[0]
        for block in self.pre:
            x, _ = block(x, positions, mask, self._empty(b, mel))
        h = self.pre_norm(x)
        z = self.quantiser.norm(self.pool(h.reshape(b, frames // 2, -1)))
        codes = self.quantiser.indices(z)
        q = z
        if quantise:
            # Straight-through: forward the code, send its gradient to the encoder.
            q = z + (self.quantiser.codebook[codes] - z).detach()
        y = self.expand(q).view(b, frames, -1)
        for block in self.post:
            y, _ = block(y, positions, mask, self._empty(b, mel))
        return Encoded(
            codes, self._letters(self.ctc, h), self._letters(self.ctc_post, self.post_norm(y)), z
        )

    def block_mask(self, frames: int, device: torch.device) -> Tensor:
        """Additive [T, T]: own block and ``left_blocks`` before it."""
        block = torch.arange(frames, device=device) // self.cfg.block
        gap = block[:, None] - block[None, :]
        return torch.where((gap >= 0) & (gap <= self.cfg.left_blocks), 0.0, MASKED)

    def _empty(self, b: int, like: Tensor) -> BlockState:
        cfg = self.cfg
        none = like.new_zeros(b, 0, cfg.heads, cfg.dim // cfg.heads)
        return BlockState(none, none, like.new_zeros(b, cfg.dim, cfg.kernel - 1))

    def _stem(
        self, mel: Tensor, tail1: Tensor | None, tail2: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        x = (mel.transpose(1, 2) + 4.0) / 4.0  # log-mel of speech lies in -11..5
        x, tail1 = self.conv1(x, tail1)
        x, tail2 = self.conv2(F.gelu(x), tail2)
        return F.gelu(x).transpose(1, 2), tail1, tail2  # [B, T / 4, C]

    def _letters(self, head: nn.Module, h: Tensor) -> Tensor:
        b, frames, _ = h.shape
        logits: Tensor = head(h).view(b, frames * 2, self.cfg.letters)
        return logits.log_softmax(-1)
