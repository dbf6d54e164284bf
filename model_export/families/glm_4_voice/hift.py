"""GLM-4-Voice's vocoder HiFT: log-mel to 22,050 Hz by way of pitch, harmonics and short spectra.

Three parts that run apart: ``pitch`` (mel → Hz a frame), the excitation that is computed from it
outside the network (``device.speech.harmonic_source``), and ``decode``. Each frame is 256 samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from device.speech.harmonic_source import HARMONICS
from model_export.families.glm_4_voice.spectrum import BINS, InverseStft, Stft
from model_export.families.glm_4_voice.weight_norm import NormedConv, NormedConvTranspose

LOUDEST = math.log(100.0)  # of a bin's logarithmic magnitude
LIMIT = 0.99  # of a sample
KERNELS = (3, 7, 11)
DILATIONS = (1, 3, 5)


@dataclass(frozen=True)
class HiftConfig:
    mels: int = 80
    dim: int = 512  # halved by each of the two upsamplings
    pitch_dim: int = 512


class Elu(nn.Module):
    """x, or eˣ - 1 below zero; in operators that every TensorRT has."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x) + torch.exp(-F.relu(-x)) - 1.0


class PitchPredictor(nn.Module):
    def __init__(self, cfg: HiftConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for n in range(5):
            layers += [NormedConv(cfg.pitch_dim if n else cfg.mels, cfg.pitch_dim, 3), Elu()]
        self.condnet = nn.Sequential(*layers)
        self.classifier = nn.Linear(cfg.pitch_dim, 1)

    def forward(self, mel: Tensor) -> Tensor:
        """[B, 80, T] → Hz [B, T]."""
        hz: Tensor = self.classifier(self.condnet(mel).transpose(1, 2))[:, :, 0]
        return F.relu(hz) + F.relu(-hz)  # |hz|


class Snake(nn.Module):
    """x + sin²(αx) / α, a slope α for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        alpha = self.alpha[:, None]
        wave = torch.sin(x * alpha)
        return x + wave * wave * torch.reciprocal(alpha + 1e-9)


class ResBlock(nn.Module):
    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(NormedConv(channels, channels, kernel, d) for d in DILATIONS)
        self.convs2 = nn.ModuleList(NormedConv(channels, channels, kernel) for _ in DILATIONS)
        self.activations1 = nn.ModuleList(Snake(channels) for _ in DILATIONS)
        self.activations2 = nn.ModuleList(Snake(channels) for _ in DILATIONS)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, L] → [B, C, L]."""
        units = zip(self.activations1, self.convs1, self.activations2, self.convs2, strict=True)
        for bend1, conv1, bend2, conv2 in units:
            x = x + conv2(bend2(conv1(bend1(x))))
        return x


class SourceMix(nn.Module):
    """Nine harmonics to one excitation."""

    def __init__(self) -> None:
        super().__init__()
        self.l_linear = nn.Linear(HARMONICS, 1)

    def forward(self, waves: Tensor) -> Tensor:
        """[T, 256, 9] → [1, 1, 256 T]."""
        return torch.tanh(self.l_linear(waves)).reshape(1, 1, -1)


class Hift(nn.Module):
    """Log-mel to samples."""

    def __init__(self, cfg: HiftConfig) -> None:
        super().__init__()
        self.cfg = cfg
        dims = [cfg.dim, cfg.dim // 2, cfg.dim // 4]
        self.m_source = SourceMix()
        self.conv_pre = NormedConv(cfg.mels, cfg.dim, 7)
        self.ups = nn.ModuleList(NormedConvTranspose(dims[n], dims[n + 1], 16, 8) for n in range(2))
        self.source_downs = nn.ModuleList(
            [nn.Conv1d(2 * BINS, dims[1], 16, 8, padding=4), nn.Conv1d(2 * BINS, dims[2], 1)]
        )
        self.source_resblocks = nn.ModuleList([ResBlock(dims[1], 7), ResBlock(dims[2], 11)])
        self.resblocks = nn.ModuleList(ResBlock(dims[n], k) for n in (1, 2) for k in KERNELS)
        self.conv_post = NormedConv(dims[2], 2 * BINS, 7)
        self.f0_predictor = PitchPredictor(cfg)
        self.stft, self.inverse_stft = Stft(), InverseStft()

    def pitch(self, mel: Tensor) -> Tensor:
        """[B, 80, T] → Hz [B, T]; must stay float32, an error adds up to a phase."""
        hz: Tensor = self.f0_predictor(mel)
        return hz

    def mix(self, waves: Tensor) -> Tensor:
        """Excitation of harmonics [T, 256, 9] → source [1, 1, 256 T]."""
        source: Tensor = self.m_source(waves)
        return source

    def decode(self, mel: Tensor, source: Tensor) -> Tensor:
        """[B, 80, T] and [B, 1, 256 T] → samples [B, 256 T]."""
        spectrum = self.stft(source)  # [B, 18, 64 T + 1]
        x = self.conv_pre(mel)
        for n in range(2):
            x = self.ups[n](F.leaky_relu(x, 0.1))  # [B, C, 8 T], then [B, C, 64 T]
            if n:
                x = torch.cat([x[:, :, 1:2], x], dim=2)  # mirrored: 64 T + 1 frames
            x = x + self.source_resblocks[n](self.source_downs[n](spectrum))
            x = sum(block(x) for block in self._blocks(n)) / len(KERNELS)
        x = self.conv_post(F.leaky_relu(x, 0.01))
        # Limited before the exponential rather than behind it: half precision would overflow.
        size, angle = torch.exp(x[:, :BINS].clamp(max=LOUDEST)), torch.sin(x[:, BINS:])
        spectrum = torch.cat([size * angle.cos(), size * angle.sin()], dim=1)
        wave: Tensor = self.inverse_stft(spectrum)
        return wave.clamp(-LIMIT, LIMIT)

    def _blocks(self, n: int) -> nn.ModuleList:
        return self.resblocks[n * len(KERNELS) : (n + 1) * len(KERNELS)]
