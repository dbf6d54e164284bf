"""The log-mel front-end of Whisper large-v3, as GLM-4-Voice's tokenizer was trained with.

Unlike ``mel.py`` its frames are centred: frame t sees the 25 ms around sample 160 t, so it is
complete 200 samples later. Speech is cut into *pieces* of at most 30 s, each on its own, with the
sound mirrored at both ends; a piece is filled up with zeros to whole tokens of 80 ms.

Its scale hangs on the loudest bin of the whole piece. ``WhisperMelStream`` therefore gives frames
in plain log10, and ``scaled`` is applied when that peak is known, or taken to be.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from device.sound.mel import HOP, SAMPLE_RATE, WINDOW

Floats = npt.NDArray[np.float32]

N_MELS = 128
PIECE = 30 * SAMPLE_RATE  # 480,000 samples
TOKEN = HOP * 2 * 4  # 1,280 samples: strides of the front-end, the second convolution, the pooling
FLOOR = 1e-10  # of mel power, before the logarithm
RANGE = 8.0  # decades kept below the loudest bin
_MIRROR = WINDOW // 2  # 200 samples
_LINEAR_HZ, _LINEAR_MELS = 1_000.0, 15.0  # Slaney's scale: linear up to here, logarithmic above
_LOG_STEP = np.log(6.4) / 27.0


def tokens_of(samples: int) -> int:
    """How many tokens a piece of so many samples has."""
    return -(-samples // TOKEN)


@lru_cache(maxsize=1)
def filterbank() -> npt.NDArray[np.float64]:
    """Triangles of equal area on Slaney's mel scale, 0 to 8,000 Hz, float64[201, 128]."""
    hz = np.linspace(0.0, SAMPLE_RATE / 2, WINDOW // 2 + 1)
    top = _LINEAR_MELS + np.log(SAMPLE_RATE / 2 / _LINEAR_HZ) / _LOG_STEP
    edges = _to_hz(np.linspace(0.0, top, N_MELS + 2))
    rising = (hz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hz[:, None]) / (edges[2:] - edges[1:-1])
    bank: npt.NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling))
    return bank * (2.0 / (edges[2:] - edges[:-2]))


def log_mel(pcm: Floats) -> Floats:
    """One piece, float32[n] at 16 kHz → float32[8 · tokens_of(n), 128], scaled.

    Raises:
        ValueError: the piece is longer than 30 s.
    """
    stream = WhisperMelStream()
    frames = np.concatenate([stream.step(pcm), stream.finish()])
    return scaled(frames, stream.peak)


def scaled(frames: Floats, peak: float) -> Floats:
    """Frames in log10 → what the tokenizer is fed, for a piece whose loudest bin is ``peak``."""
    out: Floats = ((np.maximum(frames, np.float32(peak - RANGE)) + 4.0) / 4.0).astype(np.float32)
    return out


class WhisperMelStream:
    """The frames of one piece, fed any number of samples at a time."""

    def __init__(self) -> None:
        self.samples = 0
        """Samples heard so far."""
        self.peak = -np.inf
        """Loudest bin of the frames given so far, log10."""
        self._held: Floats = np.zeros(0, np.float32)
        self._begun = False

    def step(self, pcm: Floats) -> Floats:
        """float32[n] → the frames that became complete, float32[m, 128] in log10.

        Raises:
            ValueError: the piece would be longer than 30 s.
        """
        if self.samples + len(pcm) > PIECE:
            raise ValueError(f"a piece holds {PIECE} samples; begin another stream")
        self.samples += len(pcm)
        return self._frames(pcm)

    def finish(self) -> Floats:
        """The last frames: the piece is filled up to whole tokens and mirrored at its end."""
        if not self.samples:
            return np.zeros((0, N_MELS), np.float32)
        first = self._frames(np.zeros(-self.samples % TOKEN, np.float32))
        # Of the mirrored end only 40 samples are seen: the frame centred on the end is dropped.
        mirrored = self._held[-2 : -2 - (_MIRROR - HOP) : -1]
        return np.concatenate([first, self._frames(mirrored)])

    def _frames(self, pcm: Floats) -> Floats:
        held = np.concatenate([self._held, pcm.astype(np.float32, copy=False)])
        if not self._begun and len(held) > _MIRROR:
            held = np.concatenate([held[_MIRROR:0:-1], held])
            self._begun = True
        if not self._begun or len(held) < WINDOW:
            self._held = held
            return np.zeros((0, N_MELS), np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(held, WINDOW)[::HOP]
        self._held = held[len(windows) * HOP :].copy()
        frames = _log_power(windows)
        self.peak = max(self.peak, float(frames.max()))
        return frames


def _log_power(windows: Floats) -> Floats:
    """float32[m, 400] → float32[m, 128]; in double precision, as loud and faint bins lie apart."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    power = np.abs(np.fft.rfft(windows * hann)) ** 2
    out: Floats = np.log10(np.maximum(power @ filterbank(), FLOOR)).astype(np.float32)
    return out


def _to_hz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    linear = mel * (_LINEAR_HZ / _LINEAR_MELS)
    return np.where(
        mel < _LINEAR_MELS, linear, _LINEAR_HZ * np.exp(_LOG_STEP * (mel - _LINEAR_MELS))
    )
