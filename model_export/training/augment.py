"""Rooms, noise, gain and other mouths: what stands between a synthesiser and a living room."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from device.sound.mel import HOP, N_FFT, N_MELS, PAD, SAMPLE_RATE, WINDOW, filterbank, window
from device.sound.mixing import coloured_noise, crop, mix

Floats = npt.NDArray[np.float32]

WARPS = tuple(float(w) for w in np.linspace(0.84, 1.18, 13))
"""Vocal tract length factors; the middle one is near 1."""


@dataclass(frozen=True)
class Scenery:
    """Recorded noises and room impulse responses, all at 16 kHz."""

    noises: tuple[Floats, ...]
    rooms: tuple[Floats, ...]

    @classmethod
    def load(cls, audio: Path) -> Scenery:
        """From ``audio``/noise and ``audio``/rir; empty when the folders are not there."""
        return cls(_read_all(audio / "noise"), _read_all(audio / "rir", seconds=0.6))


def _read_all(folder: Path, seconds: float = 60.0) -> tuple[Floats, ...]:
    out = []
    for path in sorted(folder.glob("*.flac")):
        pcm, rate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = soxr.resample(pcm[:, 0], rate, SAMPLE_RATE)
        out.append(np.ascontiguousarray(mono[: int(seconds * SAMPLE_RATE)], np.float32))
    return tuple(out)


def synthetic_room(rng: np.random.Generator) -> Floats:
    """Exponentially decaying noise after a direct path: a room of RT60 0.1–0.6 s."""
    rt60 = rng.uniform(0.1, 0.6)
    t = np.arange(int(rt60 * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.standard_normal(len(t)) * np.exp(-6.9 * t / rt60) * rng.uniform(0.02, 0.15)
    tail[0] = 1.0
    return np.asarray(tail, np.float32)


def convolve(pcm: Floats, room: Floats) -> Floats:
    """Speech in a room, aligned to the direct path and of the same length and power."""
    n = 1 << (len(pcm) + len(room)).bit_length()
    wet = np.fft.irfft(np.fft.rfft(pcm, n) * np.fft.rfft(room, n), n)
    start = int(np.abs(room).argmax())
    wet = wet[start : start + len(pcm)]
    gain = np.sqrt((pcm**2).mean() / max(float((wet**2).mean()), 1e-12))
    return np.asarray(wet * gain, np.float32)


def equalise(pcm: Floats, rng: np.random.Generator) -> Floats:
    """A random smooth response of ±8 dB: microphones and cases."""
    n = len(pcm)
    knots = rng.uniform(-8, 8, 7)
    bins = np.linspace(0, 6, n // 2 + 1)
    gain = 10 ** (np.interp(bins, np.arange(7), knots) / 20)
    return np.asarray(np.fft.irfft(np.fft.rfft(pcm) * gain, n), np.float32)


def background(n: int, rng: np.random.Generator, scenery: Scenery, babble: list[Floats]) -> Floats:
    """One of: a recorded noise, coloured noise, other people talking."""
    style = rng.random()
    if style < 0.5 and scenery.noises:
        return crop(scenery.noises[int(rng.integers(len(scenery.noises)))], n, rng)
    if style < 0.65 and babble:
        picks = rng.integers(0, len(babble), 3)
        return np.asarray(sum(crop(babble[int(i)], n, rng) for i in picks), np.float32)
    return coloured_noise(n, rng)


def augment(
    pcm: Floats,
    rng: np.random.Generator,
    scenery: Scenery,
    babble: list[Floats],
    strength: float,
) -> Floats:
    """Everything at once; ``strength`` 0..1 is the chance and the depth of it (ramped up)."""
    if rng.random() < 0.5 * strength:
        rate = rng.uniform(0.88, 1.14)
        where = np.arange(0, len(pcm) - 1, rate)
        pcm = np.interp(where, np.arange(len(pcm)), pcm).astype(np.float32)
    if rng.random() < 0.4 * strength:
        real = scenery.rooms and rng.random() < 0.4
        room = scenery.rooms[int(rng.integers(len(scenery.rooms)))] if real else synthetic_room(rng)
        pcm = convolve(pcm, room)
    if rng.random() < 0.4 * strength:
        pcm = equalise(pcm, rng)
    if rng.random() < 0.2 + 0.65 * strength:
        snr = rng.uniform(20 - 20 * strength, 32 - 8 * strength)  # dB; 0..24 at full strength
        pcm = mix(pcm, background(len(pcm), rng, scenery, babble), snr)
    peak = 10 ** (rng.uniform(-6 - 24 * strength, -1) / 20)
    return np.asarray(pcm * (peak / max(float(np.abs(pcm).max()), 1e-4)), np.float32)


def warped_log_mel(pcm: Floats, warp: float) -> Floats:
    """``device.sound.mel.log_mel`` of a speaker with another vocal tract length."""
    held = np.concatenate([np.zeros(PAD, np.float32), pcm])
    frames = np.lib.stride_tricks.sliding_window_view(held, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * window(), N_FFT)) ** 2
    out: Floats = np.log(np.maximum(power.astype(np.float32) @ filterbank(warp), 1e-5))
    return out


def spec_augment(mel: Floats, rng: np.random.Generator) -> Floats:
    """Two stripes of up to 14 bins and two of up to 180 ms, set to the mean (arXiv:1904.08779)."""
    mel = mel.copy()
    for _ in range(2):
        width = int(rng.integers(0, 15))
        start = int(rng.integers(0, N_MELS - width))
        mel[:, start : start + width] = mel.mean()
        length = int(rng.integers(0, 19))
        begin = int(rng.integers(0, max(1, len(mel) - length)))
        mel[begin : begin + length] = mel.mean()
    return mel
