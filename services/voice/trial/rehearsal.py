"""One turn of the self-test: the recording through the real loop, at real pace, for nobody's ears.

The same code as a spoken turn: frames, wake word, endpointer, model, playback. Only the ends
differ: a file for a microphone, memory for a loudspeaker, a home that is connected to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from device.sound.files import FileSource
from device.sound.frames import SAMPLE_RATE, Frame, Pcm
from device.sound.playback import PlaybackQueue
from services.settings import Endpoint, Settings, Wake
from services.voice.families.base import SpeechModel
from services.voice.setup import open_loop
from services.voice.trial.home import RehearsalHome
from services.voice.turn_log import Turn, TurnLog
from services.voice.worker import Worker

LONGEST_S = 60.0
"""A turn that goes on for longer has failed."""


@dataclass(frozen=True)
class Rehearsed:
    """What came of it."""

    turns: tuple[Turn, ...] = ()
    disturbed: bool = False
    """A real turn began meanwhile: times mean nothing, or it was broken off."""

    @property
    def turn(self) -> Turn | None:
        return self.turns[0] if self.turns else None


def rehearse(
    settings: Settings,
    model: SpeechModel,
    pcm: Pcm,
    worker: Worker,
    *,
    wanted: Callable[[], bool],
    yields: bool,
) -> Rehearsed:
    """Speak the recording to the model and hear its answer; takes as long as that takes.

    Args:
        pcm: float32[n] at 16 kHz: the usual wake word, then a command.
        worker: where the model works. One that serves must be given the worker it serves on.
        wanted: whether somebody real is being heard or answered now.
        yields: break off as soon as that is so.
    """
    log = TurnLog()
    # The owner's wake word, pauses and volume are no matter of the release.
    usual = settings.model_copy(update={"wake": Wake(), "endpoint": Endpoint()})
    playback = PlaybackQueue(1.0)
    loop = open_loop(usual, model, RehearsalHome(), log.add, worker, playback=playback)
    until = loop.clock.now() + len(pcm) / SAMPLE_RATE + LONGEST_S
    microphone = FileSource(pcm, loop.clock, lambda: loop.busy and loop.clock.now() < until)
    disturbed = False

    def watched() -> Iterator[Frame]:
        nonlocal disturbed
        for frame in microphone.frames():
            disturbed = disturbed or wanted()
            if disturbed and yields:
                return
            yield frame

    loop.run(_Source(watched, microphone.close), log.sink)
    return Rehearsed(tuple(log.turns), disturbed)


class _Source:
    def __init__(self, frames: Callable[[], Iterator[Frame]], close: Callable[[], None]) -> None:
        self.frames, self.close = frames, close
