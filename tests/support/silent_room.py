"""A loop that runs and hears nothing."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import numpy as np

from device.sound.files import DiscardingSink, FileSource
from services.voice.loop import VoiceLoop


@contextlib.contextmanager
def hearing(loop: VoiceLoop) -> Iterator[None]:
    """Meanwhile it hears silence."""
    over = threading.Event()
    silence = FileSource(np.zeros(160, np.float32), loop.clock, lambda: not over.is_set())
    thread = threading.Thread(target=loop.run, args=(silence, DiscardingSink()))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
