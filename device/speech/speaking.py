"""Codes to sound as they come: the speech decoder and vocoder parts of a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.engine.contract import Engine

Floats = npt.NDArray[np.float32]

TOKEN_LAG = 2  # codes by which the decoder's frames come late
FRAME_LAG = 2  # frames by which the vocoder's sound comes late
CODE_FRAMES, HOP = 8, 160  # 10 ms frames a code, samples a frame


@dataclass(frozen=True)
class Voice:
    """The two engines of a voice."""

    decoder: Engine
    vocoder: Engine
    pad: int
    """The code that says nothing."""


class Speaking:
    """The state of one reply; ``say`` any number of codes, then ``finish``."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._decoder = voice.decoder.new_state(1)
        self._vocoder = voice.vocoder.new_state(1)
        self._skip_frames = TOKEN_LAG * CODE_FRAMES
        self._skip_samples = FRAME_LAG * HOP
        self._last: tuple[Floats, Floats] | None = None

    def say(self, codes: Sequence[int]) -> Floats:
        """Codes → float32[n] at 16 kHz that became certain; may be empty."""
        if not len(codes):
            return np.zeros(0, np.float32)
        feeds = {"tokens": np.asarray([codes], np.int64)}
        out = self._voice.decoder.run(feeds, self._decoder)
        # The first frames belong to codes before the beginning.
        mel, pitch = (out[name].astype(np.float32, copy=False) for name in ("mel", "pitch"))
        skip = min(self._skip_frames, mel.shape[2])
        self._skip_frames -= skip
        return self._sound(mel[:, :, skip:], pitch[:, :, skip:])

    def finish(self) -> Floats:
        """The sound still held back."""
        pcm = self.say([self._voice.pad] * TOKEN_LAG)
        if self._last is None:
            return pcm
        mel, pitch = (np.repeat(x, FRAME_LAG, axis=2) for x in self._last)
        return np.concatenate([pcm, self._sound(mel, pitch)])

    def _sound(self, mel: Floats, pitch: Floats) -> Floats:
        if mel.shape[2] == 0:
            return np.zeros(0, np.float32)
        self._last = mel[:, :, -1:], pitch[:, :, -1:]
        feeds = {"mel": np.ascontiguousarray(mel), "pitch": np.ascontiguousarray(pitch)}
        wave = self._voice.vocoder.run(feeds, self._vocoder)["wave"][0, 0]
        skip = min(self._skip_samples, len(wave))
        self._skip_samples -= skip
        out: Floats = wave[skip:]
        return out
