"""The wake word, behind one small protocol."""

from __future__ import annotations

from typing import Protocol

from device.sound.frames import Pcm


class WakeDetector(Protocol):
    """Listens to every frame, all day."""

    phrase: str
    """What it listens for, as it is spoken."""
    score: float
    """Confidence 0..1 after the last frame."""

    def feed(self, pcm: Pcm) -> bool:
        """Take float32[160]; True on the one frame at which the phrase is recognised."""

    def reset(self) -> None:
        """Forget what was heard so far."""
