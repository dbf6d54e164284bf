"""Noise under speech at a stated level: the same arithmetic for training and evaluation."""

from __future__ import annotations

import numpy as np

from device.sound.frames import Pcm


def coloured_noise(n: int, rng: np.random.Generator) -> Pcm:
    """Noise with a 1/f^a spectrum, a in 0..1.5: fans, hiss, rumble. float32[n], power 1 or less."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** (rng.uniform(0, 1.5) / 2)
    return np.asarray(np.fft.irfft(spectrum, n), np.float32)


def mix(pcm: Pcm, noise: Pcm, snr_db: float, speech: Pcm | None = None) -> Pcm:
    """Add noise at a signal-to-noise ratio taken over the loud half of the speech's samples.

    Args:
        pcm, noise: float32[n] each.
        snr_db: in decibels.
        speech: what the level is taken from, where ``pcm`` has silence around it.
    """
    spoken = pcm if speech is None else speech
    level = float(np.sort(spoken**2)[len(spoken) // 2 :].mean())
    gain = np.sqrt(level / max(float((noise**2).mean()), 1e-12) / 10 ** (snr_db / 10))
    return np.asarray(pcm + noise * gain, np.float32)


def crop(noise: Pcm, n: int, rng: np.random.Generator) -> Pcm:
    """n samples from a random place, repeated when it is short."""
    if len(noise) < n:
        noise = np.tile(noise, n // len(noise) + 1)
    start = int(rng.integers(0, len(noise) - n + 1))
    return noise[start : start + n]
