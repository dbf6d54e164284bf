"""The model's voice without its ears: an outcome becomes a reply's words and sound."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from device.sound.files import write_wav
from device.sound.frames import SAMPLE_RATE, Pcm
from device.sound.playback import PlaybackQueue
from device.sound.portaudio import PortAudio
from services.language.homeview import HomeView
from services.language.outcome import Outcome
from services.settings import Settings
from services.voice.families.base import AudioDelta, SpeechModel, TextDelta

POLL_S = 0.02


@dataclass(frozen=True)
class Reply:
    text: str
    pcm: Pcm
    """float32[n] at 16 kHz."""


def speak(model: SpeechModel, view: HomeView, outcome: Outcome) -> Reply:
    """Let the model tell an outcome nobody asked it for aloud."""
    text, sound = "", [np.zeros(0, np.float32)]
    for event in model.session(view).respond([outcome]):
        if isinstance(event, TextDelta):
            text += event.text
        elif isinstance(event, AudioDelta):
            sound.append(event.pcm)
    return Reply(text.strip(), np.concatenate(sound))


class Mouth(Protocol):
    """Where replies sound."""

    def say(self, pcm: Pcm) -> str:
        """Sound float32[n] and return when that is done; what to tell the user of it, if any."""


class Files:
    """One WAV file for each reply, numbered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def say(self, pcm: Pcm) -> str:
        self._count += 1
        path = self._folder / f"reply-{self._count}.wav"
        write_wav(path, pcm)
        return str(path)


class Speaker:
    """The loudspeaker of this machine."""

    def __init__(self, queue: PlaybackQueue) -> None:
        self._queue = queue

    def say(self, pcm: Pcm) -> str:
        self._queue.enqueue(0, pcm)
        wait = threading.Event()
        wait.wait(len(pcm) / SAMPLE_RATE)
        while not self._queue.empty:
            wait.wait(POLL_S)
        return ""


@contextmanager
def mouth(settings: Settings, folder: Path | None) -> Iterator[Mouth]:
    """Files in ``folder``, or where that is None the loudspeaker of the settings.

    Raises:
        AudioDeviceError: there is no loudspeaker, or PyAudio is not installed.
    """
    if folder is not None:
        yield Files(folder)
        return
    with PortAudio() as audio:
        sink = audio.sink(settings.audio.output)
        queue = PlaybackQueue(settings.audio.volume)
        sink.start(queue.pull)
        try:
            yield Speaker(queue)
        finally:
            sink.close()
