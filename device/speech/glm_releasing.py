"""Which mel frames of a growing reply are final: pure bookkeeping, no model.

The flow's newest 34 frames (five tokens) are made again when more is known, so they are held back
and the two versions faded into each other. After n tokens, ``frames_of(n)`` - 34 frames are
released; at the end, all of them: a reply of N tokens is always 256 · ``frames_of(N)`` samples.

``Upstream`` counts as GLM-4-Voice's published code does, which takes the vocoder's one frame of
history into the prompt and so loses a frame in every call from the third on. For comparison only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.speech.glm_frames import HELD

Floats = npt.NDArray[np.float32]
"""Mel frames [80, n]."""


@dataclass(frozen=True)
class Released:
    """Frames that will not change any more, and what will probably follow them."""

    frames: Floats
    ahead: Floats


class Releasing:
    """One reply."""

    def __init__(self, mels: int = 80) -> None:
        self._held: Floats = np.zeros((mels, 0), np.float32)
        self.prompt: Floats = np.zeros((mels, 0), np.float32)
        """Frames that the flow is told of."""
        self._rising = fade()

    @property
    def known(self) -> int:
        """Frames of the prompt."""
        return int(self.prompt.shape[1])

    def take(self, made: Floats, *, last: bool) -> Released:
        """Frames that the flow made behind the prompt → what of them is final.

        Args:
            made: [80, n]; its first are those held back last time, made again.
            last: nothing follows; nothing is held back.
        """
        made = self._faded(made)
        held = 0 if last else min(HELD, made.shape[1])
        cut = made.shape[1] - held
        frames, self._held = made[:, :cut], made[:, cut:]
        self._remember(frames)
        return Released(frames, self._held)

    def finish(self) -> Released:
        """The reply ends where it is: what was held back stands."""
        return self.take(self._held, last=True)

    def _faded(self, made: Floats) -> Floats:
        both = min(self._held.shape[1], made.shape[1])
        rise = self._rising[:both]
        out = made.copy()
        out[:, :both] = made[:, :both] * rise + self._held[:, :both] * self._falling(rise)
        return out

    def _falling(self, rise: Floats) -> Floats:
        return (1.0 - rise).astype(np.float32)

    def _remember(self, frames: Floats) -> None:
        self.prompt = np.concatenate([self.prompt, frames], axis=1)


class Upstream(Releasing):
    """The published counting and its fade, whose halves sum up to 1.07."""

    def __init__(self, mels: int = 80) -> None:
        super().__init__(mels)
        window = np.hamming(2 * HELD).astype(np.float32)
        self._rising, self._sinking = window[:HELD], window[HELD:]

    def _falling(self, rise: Floats) -> Floats:
        return self._sinking[: len(rise)]

    def _remember(self, frames: Floats) -> None:
        history = self.prompt[:, -1:] if frames.shape[1] else frames
        super()._remember(np.concatenate([history, frames], axis=1))


def fade() -> Floats:
    """How the newer version comes in over the 34 frames, float32[34]; a quarter of a sine's
    square, so that both shares sum up to one."""
    place = (np.arange(HELD) + 0.5) / HELD
    out: Floats = (np.sin(np.pi / 2 * place) ** 2).astype(np.float32)
    return out
