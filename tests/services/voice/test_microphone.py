"""A muted microphone is closed: nothing of it is open, and the loop goes on in silence."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from device.errors import AudioError
from device.sound.clock import VirtualClock
from device.sound.frames import FRAME_SAMPLES, Frame
from services.voice.microphone import Microphone


class Capture:
    """A stream that is loud as long as it is open."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.open = True

    def frames(self) -> Iterator[Frame]:
        while self.open:
            t = self._clock.now() + 0.01
            self._clock.sleep_until(t)
            yield Frame(np.ones(FRAME_SAMPLES, np.float32), t)

    def close(self) -> None:
        self.open = False


class Room:
    """Hands out streams and remembers them."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.streams: list[Capture] = []
        self.plugged = True

    def open(self) -> Capture:
        if not self.plugged:
            raise AudioError("microphone", "there is none", "plug one in")
        self.streams.append(Capture(self.clock))
        return self.streams[-1]

    @property
    def open_streams(self) -> int:
        return sum(stream.open for stream in self.streams)


def loud(frame: Frame) -> bool:
    return bool(frame.pcm.any())


def test_muting_closes_the_stream_and_unmuting_opens_a_new_one() -> None:
    room = Room()
    microphone = Microphone(room.open, room.clock)
    frames = microphone.frames()
    assert loud(next(frames))
    microphone.mute(True)
    assert not microphone.closed, "not told before it is true"
    quiet = [next(frames) for _ in range(5)]
    assert microphone.closed
    assert room.open_streams == 0
    assert not any(map(loud, quiet))
    microphone.mute(False)
    assert loud(next(frames))
    assert not microphone.closed
    assert (len(room.streams), room.open_streams) == (2, 1)


def test_time_goes_on_evenly_while_it_is_closed() -> None:
    room = Room()
    microphone = Microphone(room.open, room.clock)
    frames = microphone.frames()
    times = [next(frames).t]
    microphone.mute(True)
    times += [next(frames).t for _ in range(100)]
    steps = np.diff(times)
    assert (steps > 0).all()
    assert steps.max() < 0.025, "one frame that was heard muted is dropped"


def test_one_that_begins_muted_is_never_opened() -> None:
    room = Room()
    microphone = Microphone(room.open, room.clock, muted=True)
    frames = microphone.frames()
    for _ in range(3):
        assert not loud(next(frames))
    microphone.close()
    assert list(frames) == []
    assert room.streams == []


def test_closing_ends_the_frames() -> None:
    room = Room()
    microphone = Microphone(room.open, room.clock)
    frames = microphone.frames()
    next(frames)
    microphone.close()
    assert list(frames) == []
    assert room.open_streams == 0


def test_one_that_was_unplugged_meanwhile_is_an_error_not_silence() -> None:
    room = Room()
    microphone = Microphone(room.open, room.clock)
    frames = microphone.frames()
    microphone.mute(True)
    next(frames)
    room.plugged = False
    microphone.mute(False)
    with pytest.raises(AudioError, match="there is none"):
        next(frames)
