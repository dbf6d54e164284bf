"""How far a waveform sounds from another: STFT magnitudes at several resolutions, and log-mel."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from device.sound.mel import FLOOR, HOP, N_FFT, PAD, WINDOW, filterbank

RESOLUTIONS = ((256, 40), (512, 80), (1024, 160), (2048, 320))  # (window, hop) in samples
QUIET = 1e-4  # magnitudes below this are equally silent


def magnitudes(wave: Tensor, size: int, hop: int) -> Tensor:
    """wave [B, n] → [B, size // 2 + 1, frames]."""
    window = torch.hann_window(size, device=wave.device)
    spectrum: Tensor = torch.stft(wave, size, hop, window=window, return_complex=True)
    magnitude: Tensor = spectrum.abs() / size**0.5
    return magnitude


def stft_loss(made: Tensor, real: Tensor) -> Tensor:
    """Mean over resolutions of spectral convergence plus L1 of log magnitude; waves [B, n]."""
    total = made.new_zeros(())
    for size, hop in RESOLUTIONS:
        a, b = magnitudes(made, size, hop), magnitudes(real, size, hop)
        total = total + (a - b).norm() / b.norm().clamp(min=QUIET)
        total = total + F.l1_loss(a.clamp(min=QUIET).log(), b.clamp(min=QUIET).log())
    return total / len(RESOLUTIONS)


def log_mel(wave: Tensor) -> Tensor:
    """The front-end of device/sound/mel.py in torch, with gradients: [B, n] → [B, n // HOP, 80]."""
    frames = F.pad(wave, (PAD, 0)).unfold(1, WINDOW, HOP)  # [B, T, WINDOW]
    spectrum = torch.fft.rfft(frames * torch.hann_window(WINDOW, device=wave.device), N_FFT)
    power = spectrum.real**2 + spectrum.imag**2
    bank = torch.from_numpy(filterbank()).to(wave.device)
    mel: Tensor = (power @ bank).clamp(min=FLOOR).log()
    return mel


def mel_loss(made: Tensor, real: Tensor) -> Tensor:
    """Mean absolute difference of log-mel; waves [B, n]."""
    return F.l1_loss(log_mel(made), log_mel(real))
