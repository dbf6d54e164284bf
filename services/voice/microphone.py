"""A microphone that can be closed: muted, it is given back to the system, not only unheeded.

While it is closed the frames are silence at the same pace, so that the loop goes on: timers ring,
commands are taken, systemd hears of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np

from device.sound.clock import Clock
from device.sound.files import FileSource
from device.sound.frames import Frame, FrameSource

_NOTHING = np.zeros(0, np.float32)


class Microphone:
    """A ``FrameSource``; ``mute`` may be called from any thread."""

    def __init__(
        self, open_source: Callable[[], FrameSource], clock: Clock, *, muted: bool = False
    ) -> None:
        """Open it, unless muted. Raises what ``open_source`` raises."""
        self._open_source, self._clock = open_source, clock
        self._muted = muted
        self._ended = False
        self._source: FrameSource | None = None if muted else open_source()

    @property
    def closed(self) -> bool:
        """Nothing can be heard now."""
        return self._source is None

    def mute(self, muted: bool) -> None:
        """Close it before the next frame, or open it again; ``closed`` tells when that is done."""
        self._muted = muted

    def frames(self) -> Iterator[Frame]:
        """Yield frames until closed or the source ends.

        Raises:
            AudioError: the microphone is gone, or does not open any more.
        """
        while not self._ended:
            if self._muted:
                self._close_source()
                yield from self._silence()
            else:
                yield from self._sound()
                if not self._muted:
                    return self._close_source()

    def close(self) -> None:
        self._ended = True
        self._close_source()

    def _sound(self) -> Iterator[Frame]:
        source = self._source = self._source or self._open_source()
        for frame in source.frames():
            if self._muted or self._ended:
                return
            yield frame

    def _silence(self) -> Iterator[Frame]:
        source = FileSource(_NOTHING, self._clock, lambda: self._muted and not self._ended)
        with closing(source):
            yield from source.frames()

    def _close_source(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None
