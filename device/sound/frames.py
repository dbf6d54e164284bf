"""The one shape sound has inside the box: 16 kHz mono float32 frames of 10 ms, stamped with time.

Everything that hears takes :class:`Frame`; everything that plays pulls from a queue at its own
pace. Other rates and widths exist only at the edges (``files.py``, ``portaudio.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Pcm = npt.NDArray[np.float32]
"""float32[n] in -1..1, mono, 16 kHz."""

SAMPLE_RATE = 16_000  # Hz
FRAME_MS = 10
FRAME_SAMPLES = SAMPLE_RATE * FRAME_MS // 1000  # 160
FRAME_S = FRAME_SAMPLES / SAMPLE_RATE

Pull = Callable[[int, float], Pcm]
"""``pull(samples, t)`` → exactly that many samples, the first of which sounds at clock time t."""


@dataclass(frozen=True)
class Frame:
    """10 ms of sound."""

    pcm: Pcm
    """float32[160]."""
    t: float
    """Clock seconds at which the frame's last sample was captured."""


class FrameSource(Protocol):
    """A microphone, or a recording played as if through one."""

    def frames(self) -> Iterator[Frame]:
        """Yield frames in order until the source ends or is closed."""

    def close(self) -> None:
        """Make ``frames`` end soon; callable from another thread."""


class AudioSink(Protocol):
    """A loudspeaker, or what records what one would have played."""

    def start(self, pull: Pull) -> None:
        """Begin to ask ``pull`` for samples."""

    def tick(self, t: float) -> None:
        """10 ms of input have passed; sinks with a clock of their own do nothing here."""

    def close(self) -> None:
        """Stop pulling."""


def to_pcm16(pcm: Pcm) -> bytes:
    """Little-endian signed 16-bit bytes, clipped."""
    return (np.clip(pcm, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()


def from_pcm16(data: bytes) -> Pcm:
    """The inverse of :func:`to_pcm16`, to one part in 32768."""
    return np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(32768.0)
