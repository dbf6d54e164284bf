"""Log-mel front-end: one numpy code for training and for the box.

Frames are left-padded: frame t sees the 25 ms that end with its own 10 ms hop, so a frame is ready
as soon as its last sample is (no look-ahead), and streaming is only a matter of keeping a tail.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

SAMPLE_RATE = 16_000  # Hz
HOP = SAMPLE_RATE // 100  # 160 samples = 10 ms
WINDOW = SAMPLE_RATE * 25 // 1000  # 400 samples = 25 ms
PAD = WINDOW - HOP  # 240 samples of silence before the first frame
N_FFT = 512
N_MELS = 80
FLOOR = 1e-5  # of mel power, before the logarithm
MAX_HZ = 7_600.0


@lru_cache(maxsize=64)
def filterbank(warp: float = 1.0) -> Floats:
    """Triangular filters, float32[N_FFT // 2 + 1, N_MELS], equally spaced in mel.

    ``warp`` ≠ 1 scales the frequency axis: another vocal tract length, for augmentation.
    """
    hz = np.linspace(0, SAMPLE_RATE / 2, N_FFT // 2 + 1)
    edges = _to_hz(np.linspace(_to_mel(40.0), _to_mel(MAX_HZ), N_MELS + 2)) * warp
    rising = (hz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hz[:, None]) / (edges[2:] - edges[1:-1])
    bank = np.maximum(0.0, np.minimum(rising, falling))
    # The lowest filters are narrower than a bin; give them their nearest one.
    empty = np.flatnonzero(bank.max(axis=0) < 0.1)
    bank[np.abs(hz[:, None] - edges[1:-1][empty]).argmin(axis=0), empty] = 1.0
    out: Floats = bank.astype(np.float32)
    return out


def window() -> Floats:
    """Periodic Hann, float32[WINDOW]."""
    out: Floats = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
    return out


def log_mel(pcm: Floats) -> Floats:
    """Whole utterance: float32[n] at 16 kHz → natural-log mel power, float32[n // HOP, N_MELS]."""
    return MelStream().step(pcm)


class MelStream:
    """The same front-end, fed any number of samples at a time."""

    def __init__(self) -> None:
        self._tail: Floats = np.zeros(PAD, np.float32)

    def step(self, pcm: Floats) -> Floats:
        """float32[n] → the frames that became complete, float32[m, N_MELS]."""
        held = np.concatenate([self._tail, pcm.astype(np.float32, copy=False)])
        count = max(0, (len(held) - PAD) // HOP)
        self._tail = held[count * HOP :].copy()
        if count == 0:
            return np.zeros((0, N_MELS), np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(held, WINDOW)[::HOP][:count]
        power = np.abs(np.fft.rfft(frames * window(), N_FFT)) ** 2
        out: Floats = np.log(np.maximum(power @ filterbank(), FLOOR)).astype(np.float32)
        return out


def _to_mel(hz: float) -> float:
    return float(2595.0 * np.log10(1.0 + hz / 700.0))


def _to_hz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
