"""Mel and pitch → 16 kHz waveform: a source and a filter, one causal network for the filter.

Workflow per 10 ms frame: pitch makes a band-limited pulse train, a fixed table makes noise; both
go through a windowed DFT (a convolution with a fixed basis); the network reads mel and pitch and
writes one filter for each source; the product comes back by the inverse basis and overlap-add.
Nothing is random and no STFT operator is used, so the graph runs on any engine and always says
the same thing. Output lags the input by LOOKAHEAD frames (the overlap-add of three 10 ms hops).

The phase of the pulses is counted in whole 1/4096 turns: their sums are exact in float32 (up to
40 s in one call), so chunking cannot drift. Keep that part in float32 on every engine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from device.sound.mel import HOP, N_MELS, SAMPLE_RATE, filterbank
from model_export.families.linnet_mini.causal import CausalConv, ConvBlock

LOOKAHEAD = 2  # frames the waveform lags behind the mel
N_FFT = 512
BINS = N_FFT // 2 + 1
WINDOW = 3 * HOP  # Hann twice (in and out) at a third of its length: sums to 9/8
OVERLAP = WINDOW - HOP
HARMONICS = 64
CEILING = 7_800.0  # Hz, where the harmonics have faded out
TURN = 4096.0  # phase steps in one period
NOISE_ROWS = 256  # frames in the noise table: 2.56 s, a power of two
PITCH = 2  # pitch channels: natural log of f0 in Hz (continuous), voicing 0..1
MEL_MEAN, MEL_SCALE = -5.6, 4.2  # rough moments of log-mel speech
LOG_F0_MEAN, LOG_F0_SCALE = 5.16, 0.12  # around 174 Hz, this voice
HIGHEST_LOG_F0 = 6.5  # 665 Hz
LOUDEST = 6.0  # natural log of the largest filter gain

State = tuple[Tensor, ...]


@dataclass(frozen=True)
class VocoderConfig:
    """Widths of the filter network (frames, not Hz)."""

    dim: int = 192
    hidden: int = 512
    layers: int = 4
    kernel: int = 7


class Vocoder(nn.Module):
    """The filter network and the fixed bases around it; about 1.1 M trained weights."""

    basis: Tensor
    inverse: Tensor
    noise: Tensor
    ramp: Tensor
    order: Tensor

    def __init__(self, config: VocoderConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or VocoderConfig()
        self.enter = CausalConv(N_MELS + PITCH, c.dim, c.kernel)
        self.blocks = nn.ModuleList(ConvBlock(c.dim, c.hidden, c.kernel) for _ in range(c.layers))
        self.norm = nn.LayerNorm(c.dim)
        self.head = nn.Linear(c.dim, 3 * BINS)
        self.skip = nn.Linear(N_MELS, 2 * BINS)  # starts as the mel envelope itself
        self._start_from_envelope()
        basis, inverse = dft_bases()
        self.register_buffer("basis", basis, persistent=False)  # [2*BINS, 1, WINDOW]
        self.register_buffer("inverse", inverse, persistent=False)
        table = np.random.default_rng(7).standard_normal((NOISE_ROWS, HOP))
        self.register_buffer("noise", torch.tensor(table, dtype=torch.float32), persistent=False)
        self.register_buffer("ramp", torch.arange(1, HOP + 1) / HOP, persistent=False)  # [HOP]
        self.register_buffer(
            "order", torch.arange(1, HARMONICS + 1, dtype=torch.float32), persistent=False
        )

    def _start_from_envelope(self) -> None:
        bank = torch.from_numpy(filterbank())  # [BINS, N_MELS]
        peak = bank.argmax(dim=0).double().numpy()
        rows = np.stack(
            [np.interp(np.arange(BINS), peak, np.eye(N_MELS)[m]) for m in range(N_MELS)], axis=1
        )  # [BINS, N_MELS]: linear interpolation between filter peaks
        spread = torch.tensor(rows, dtype=torch.float32)
        level = -0.5 * spread @ bank.sum(dim=0).log()  # gain of one bin from the power of a filter
        with torch.no_grad():
            self.skip.weight.copy_(0.5 * torch.cat([spread, spread]))
            self.skip.bias.copy_(torch.cat([level, level]) - 0.5 * np.log(WINDOW * 3 / 8))
            self.head.weight.mul_(0.1)
            self.head.bias.zero_()

    def state(self, batch: int = 1) -> State:
        """What a stream starts from; the order of ``state_names``."""
        zeros = self.ramp.new_zeros
        tails = [self.enter.tail(batch), *(b.tail(batch) for b in self._blocks())]
        rest = [zeros(batch, PITCH, 1), zeros(batch, 1), zeros(batch, 2, OVERLAP)]
        return (*tails, *rest, zeros(1), zeros(batch, 1, OVERLAP))

    def state_names(self) -> tuple[str, ...]:
        """Graph input names of the state tensors; outputs are the same with ``_out``."""
        tails = [f"conv_state_{i}" for i in range(self.config.layers + 1)]
        rest = ("pitch_state", "phase_state", "source_state", "noise_state", "overlap_state")
        return (*tails, *rest)

    def _blocks(self) -> list[ConvBlock]:
        return [b for b in self.blocks if isinstance(b, ConvBlock)]

    def step(self, mel: Tensor, pitch: Tensor, state: State) -> tuple[Tensor, State]:
        """mel [B, 80, T], pitch [B, 2, T] → wave [B, 1, T * 160], LOOKAHEAD frames late."""
        tails, (pitch0, phase, sources, row, overlap) = state[:-5], state[-5:]
        filters, tails = self._filters(mel, pitch, tails)
        pulse, phase = self._pulses(torch.cat([pitch0, pitch], dim=2), phase)
        hiss, row = self._hiss(pulse, row)
        sources = torch.cat([sources, torch.cat([pulse, hiss], dim=1)], dim=2)
        spectra = self._product(sources, filters)  # [B, 2*BINS, T]
        wave = torch.nn.functional.conv_transpose1d(spectra, self.inverse, stride=HOP)
        wave = torch.cat([wave[:, :, :OVERLAP] + overlap, wave[:, :, OVERLAP:]], dim=2)
        after = (pitch[:, :, -1:], phase, sources[:, :, -OVERLAP:], row, wave[:, :, -OVERLAP:])
        return wave[:, :, :-OVERLAP], (*tails, *after)

    def _filters(self, mel: Tensor, pitch: Tensor, tails: State) -> tuple[Tensor, State]:
        """→ [B, T, 3 * BINS]: log gain of pulses, log gain of noise, phase of pulses."""
        level = (mel - MEL_MEAN) / MEL_SCALE
        tone = (pitch[:, :1] - LOG_F0_MEAN) / LOG_F0_SCALE
        x, first = self.enter.step(torch.cat([level, tone, pitch[:, 1:]], dim=1), tails[0])
        after = [first]
        for block, tail in zip(self._blocks(), tails[1:], strict=True):
            x, tail = block.step(x, tail)
            after.append(tail)
        out = self.head(self.norm(x.transpose(1, 2)))  # [B, T, 3*BINS]
        gains = out[:, :, : 2 * BINS] + self.skip(mel.transpose(1, 2))
        return torch.cat([gains.clamp(max=LOUDEST), out[:, :, 2 * BINS :]], dim=2), tuple(after)

    def _pulses(self, pitch: Tensor, phase: Tensor) -> tuple[Tensor, Tensor]:
        """pitch [B, 2, 1+T] → unit-power pulse train [B, 1, T * HOP]; its phase goes on."""
        f0 = pitch[:, 0].clamp(max=HIGHEST_LOG_F0).exp()  # [B, 1+T] Hz
        half = ((f0 * (0.5 * TURN * HOP / SAMPLE_RATE) + 0.5).long().to(pitch.dtype)) / TURN
        before, after = half[:, :-1], half[:, 1:]  # turns in half a hop at its two ends
        turns = fraction(before + after)  # [B, T], exact
        frames = torch.arange(turns.shape[1], device=turns.device)
        earlier = (frames[:, None] < frames[None, :]).to(pitch.dtype)  # [T, T]
        start = fraction(phase + turns @ earlier)  # [B, T]
        angle = start[:, :, None] + 2 * before[:, :, None] * self.ramp
        angle = fraction(angle + (after - before)[:, :, None] * self.ramp**2)  # [B, T, HOP]
        waves = torch.cos(angle[:, :, :, None] * (2 * torch.pi * self.order))  # [B,T,HOP,HARM]
        fade = ((CEILING - f0[:, :, None] * self.order) / 400.0).clamp(0.0, 1.0)
        gain = fade * (pitch[:, 1] * (f0 * (2 / 8000)).sqrt())[:, :, None]  # [B, 1+T, HARM]
        ends = torch.stack([gain[:, :-1], gain[:, 1:]], dim=3)  # [B, T, HARM, 2]
        both = waves @ ends  # [B, T, HOP, 2]
        pulse = both[..., 0] * (1 - self.ramp) + both[..., 1] * self.ramp  # [B, T, HOP]
        end = fraction(start[:, -1:] + turns[:, -1:])
        return pulse.reshape(pulse.shape[0], 1, -1), end

    def _hiss(self, like: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
        """The next rows of the noise table, [B, 1, T * HOP], and the row after them."""
        count = like.shape[2] // HOP
        rows = fraction((row + torch.arange(count, device=row.device)) / NOISE_ROWS) * NOISE_ROWS
        hiss = self.noise[rows.long()].reshape(1, 1, -1).expand(like.shape[0], 1, -1)
        return hiss, fraction((rows[-1:] + 1) / NOISE_ROWS) * NOISE_ROWS

    def _product(self, sources: Tensor, filters: Tensor) -> Tensor:
        """sources [B, 2, OVERLAP + T*HOP], filters [B, T, 3*BINS] → spectrum [B, 2*BINS, T]."""
        pulse = torch.nn.functional.conv1d(sources[:, :1], self.basis, stride=HOP)
        hiss = torch.nn.functional.conv1d(sources[:, 1:], self.basis, stride=HOP)
        gain_p, gain_n, turn = torch.split(filters.transpose(1, 2), BINS, dim=1)  # [B, BINS, T]
        gain_p, gain_n = gain_p.exp(), gain_n.exp()
        c, s = gain_p * turn.cos(), gain_p * turn.sin()
        re, im = torch.split(pulse, BINS, dim=1)
        hiss_re, hiss_im = torch.split(hiss, BINS, dim=1)
        return torch.cat(
            [c * re - s * im + gain_n * hiss_re, s * re + c * im + gain_n * hiss_im], dim=1
        )

    def forward(self, mel: Tensor, pitch: Tensor) -> Tensor:
        """Whole utterances: [B, 80, T], [B, 2, T] → [B, T * HOP], aligned with the mel."""
        ends = [torch.cat([x, x[:, :, -1:].repeat(1, 1, LOOKAHEAD)], dim=2) for x in (mel, pitch)]
        wave, _ = self.step(ends[0], ends[1], self.state(mel.shape[0]))
        return wave[:, 0, LOOKAHEAD * HOP :]


def fraction(x: Tensor) -> Tensor:
    """x - floor(x) for x ≥ 0, by casts alone (Floor and Mod are not in the operator list)."""
    return x - x.long().to(x.dtype)


def dft_bases() -> tuple[Tensor, Tensor]:
    """Analysis and synthesis kernels, float32[2 * BINS, 1, WINDOW]; together the identity."""
    n, k = np.arange(WINDOW), np.arange(BINS)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / WINDOW)
    angle = 2 * np.pi * k[:, None] * n / N_FFT
    wave = np.concatenate([np.cos(angle), -np.sin(angle)]) * hann  # [2*BINS, WINDOW]
    weight = np.where((k == 0) | (k == N_FFT // 2), 1.0, 2.0) / N_FFT / (9 / 8)
    inverse = wave * np.concatenate([weight, weight])[:, None]
    forward, back = (torch.tensor(b[:, None], dtype=torch.float32) for b in (wave, inverse))
    return forward, back
