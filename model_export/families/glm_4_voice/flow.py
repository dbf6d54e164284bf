"""GLM-4-Voice's token-to-mel model: encoder, length regulator and a flow from noise to log-mel.

tokens (12.5 Hz) → ``encode`` (in cached blocks of ten) → ``regulate`` (to 86.1 mel frames a second)
→ ``solve``: ten Euler steps from given noise, guided by the difference to an unconditioned run.
Frames already heard are given as a condition, so a reply can go on where it stopped; what is given
may be the last 64 tokens' worth alone (``device.speech.glm_frames.Window``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from device.speech.glm_frames import GUIDANCE, STEPS, nearest, times
from model_export.families.glm_4_voice.estimator import Estimator, EstimatorConfig
from model_export.families.glm_4_voice.flow_encoder import (
    Cache,
    FlowEncoder,
    FlowEncoderConfig,
    block_mask,
)
from model_export.families.glm_4_voice.norms import GroupNorm, Mish


@dataclass(frozen=True)
class FlowConfig:
    codes: int = 16_384
    voice: int = 192  # speaker embedding; GLM-4-Voice's one voice is the zero vector
    encoder: FlowEncoderConfig = field(default_factory=FlowEncoderConfig)
    estimator: EstimatorConfig = field(default_factory=EstimatorConfig)


class LengthRegulator(nn.Module):
    """Nearest frames, smoothed by four convolutions; normalised over all of time."""

    def __init__(self, mels: int) -> None:
        super().__init__()
        smooth: list[nn.Module] = []
        for _ in range(4):
            smooth += [nn.Conv1d(mels, mels, 3, padding=1), GroupNorm(1, mels), Mish()]
        self.model = nn.Sequential(*smooth, nn.Conv1d(mels, mels, 1))

    def forward(self, h: Tensor, index: Tensor) -> Tensor:
        """h [B, N, 80], index int64 [F] of 0 … N - 1 → mu [B, 80, F]."""
        mu: Tensor = self.model(h.transpose(1, 2).index_select(2, index))
        return mu


class Solver(nn.Module):
    """Euler's method on the estimator's velocity."""

    def __init__(self, cfg: EstimatorConfig) -> None:
        super().__init__()
        self.estimator = Estimator(cfg)

    def forward(
        self, mu: Tensor, cond: Tensor, spk: Tensor, noise: Tensor, steps: int = STEPS
    ) -> Tensor:
        """mu, cond, noise [1, 80, F], spk [1, 80] → log-mel [1, 80, F]."""
        mu, cond, spk = (torch.cat([x, torch.zeros_like(x)]) for x in (mu, cond, spk))
        grid, x = times(steps), noise
        for now, then in pairwise(grid):
            v = self.estimator(x.expand(2, -1, -1), mu, cond, x.new_full((2,), now), spk)
            x = x + (then - now) * ((1.0 + GUIDANCE) * v[:1] - GUIDANCE * v[1:])
        return x


class Flow(nn.Module):
    """Speech tokens to log-mel."""

    def __init__(self, cfg: FlowConfig) -> None:
        super().__init__()
        self.cfg = cfg
        mels, dim = cfg.estimator.mels, cfg.encoder.dim
        self.input_embedding = nn.Embedding(cfg.codes, dim)
        self.spk_embed_affine_layer = nn.Linear(cfg.voice, mels)
        self.encoder = FlowEncoder(cfg.encoder)
        self.encoder_proj = nn.Linear(dim, mels)
        self.length_regulator = LengthRegulator(mels)
        self.decoder = Solver(cfg.estimator)

    def start(self) -> list[tuple[Tensor, Tensor]]:
        """The encoder's cache before the first token."""
        cfg = self.cfg.encoder
        none = self.encoder_proj.weight.new_zeros(1, 0, cfg.heads, cfg.head_dim)
        return [(none, none)] * cfg.layers

    def encode(self, tokens: Tensor, past: Cache) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """int64 [1, T] behind ``past``, whole blocks of ten → h [1, T, 80] and the cache, grown."""
        before = past[0][0].shape[1]
        positions = torch.arange(before, before + tokens.shape[1], device=tokens.device)
        mask = block_mask(positions, before + tokens.shape[1])
        h, fresh = self.encode_step(tokens, positions, mask, past, self.encoder.distances())
        pairs = zip(past, fresh, strict=True)
        return h, [(torch.cat([p[0], k], 1), torch.cat([p[1], v], 1)) for p, (k, v) in pairs]

    def encode_step(
        self, tokens: Tensor, positions: Tensor, mask: Tensor, past: Cache, distances: list[Tensor]
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """As ``FlowEncoder.forward``, from tokens int64 [B, T] to h [B, T, 80]."""
        x, fresh = self.encoder(self.input_embedding(tokens), positions, mask, past, distances)
        return self.encoder_proj(x), fresh

    def speaker(self, voice: Tensor) -> Tensor:
        """A speaker embedding [1, 192] → [1, 80]."""
        length = (voice * voice).sum(1, keepdim=True).sqrt().clamp(min=1e-12)
        spk: Tensor = self.spk_embed_affine_layer(voice / length)
        return spk

    def mel(self, h: Tensor, known: Tensor, noise: Tensor, steps: int = STEPS) -> Tensor:
        """Encoded tokens [1, N, 80] → the frames behind those known, [1, 80, F - P].

        ``known`` [1, 80, P] are the first of the F frames of those N tokens; noise is [1, 80, F].
        """
        index = torch.from_numpy(nearest(h.shape[1])).to(h.device)
        mu = self.length_regulator(h, index)
        cond = F.pad(known, (0, mu.shape[2] - known.shape[2]))
        spk = self.speaker(h.new_zeros(1, self.cfg.voice))
        out: Tensor = self.decoder(mu, cond, spk, noise, steps)
        return out[:, :, known.shape[2] :]

    def forward(self, tokens: Tensor, noise: Tensor, steps: int = STEPS) -> Tensor:
        """A whole reply, int64 [1, N] and noise [1, 80, F] → log-mel [1, 80, F]."""
        h, _ = self.encode(tokens, self.start())
        return self.mel(h, noise[:, :, :0], noise, steps)
