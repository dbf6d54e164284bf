"""Microphone and loudspeaker through PortAudio (ALSA, PulseAudio, PipeWire).

PyAudio is the optional extra ``audio``: it is built from source and wants ``portaudio19-dev``.
Capture runs in PortAudio's own thread and lands in a bounded queue; when the box is too slow the
oldest sound is dropped and counted, never waited for. Playback pulls from the queue it is given,
20 ms at a time, so an interruption is silent within one such period plus the device's own buffer.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from device.errors import AudioError
from device.sound.clock import Clock, MonotonicClock
from device.sound.frames import FRAME_SAMPLES, SAMPLE_RATE, Frame, Pull, from_pcm16, to_pcm16

log = logging.getLogger(__name__)

PERIOD = 2 * FRAME_SAMPLES  # samples asked for by the loudspeaker at a time: 20 ms
QUEUE_FRAMES = 200  # 2 s of sound the hearing thread may be late
SILENT_S = 2.0  # a microphone that gives nothing for this long has gone away


class AudioDeviceError(AudioError):
    """No PyAudio, no such device, or a device that stopped."""


class PortAudio:
    """One PortAudio instance: lists devices, opens sources and sinks; close it at the end."""

    def __init__(self) -> None:
        """Raises AudioDeviceError when PyAudio is not installed."""
        try:
            import pyaudio
        except ImportError as error:
            raise AudioDeviceError(
                "PyAudio", "not installed", "run: pip install 'linnet[audio]'"
            ) from error
        self._pyaudio = pyaudio
        self._audio = pyaudio.PyAudio()

    def __enter__(self) -> PortAudio:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._audio.terminate()

    def devices(self, output: bool) -> list[str]:
        """Names of the loudspeakers, or of the microphones."""
        return [str(info["name"]) for info in self._infos(output)]

    def source(self, name: str | None = None, clock: Clock | None = None) -> MicrophoneSource:
        """Open a microphone: the first whose name contains ``name``, else the default."""
        return MicrophoneSource(self, self._index(name, output=False), clock or MonotonicClock())

    def sink(self, name: str | None = None, clock: Clock | None = None) -> SpeakerSink:
        """Choose a loudspeaker the same way; it opens when started."""
        return SpeakerSink(self, self._index(name, output=True), clock or MonotonicClock())

    def open(self, **options: Any) -> Any:
        """A PyAudio stream of 16 kHz mono 16-bit sound."""
        try:
            return self._audio.open(
                rate=SAMPLE_RATE, channels=1, format=self._pyaudio.paInt16, **options
            )
        except (OSError, ValueError) as error:
            where = "speaker" if options.get("output") else "microphone"
            raise AudioDeviceError(
                where, f"does not open ({error})", "check that it is plugged in; run linnet doctor"
            ) from error

    @property
    def go_on(self) -> int:
        """What a stream's callback returns to be called again."""
        return int(self._pyaudio.paContinue)

    def _infos(self, output: bool) -> list[dict[str, Any]]:
        channels = "maxOutputChannels" if output else "maxInputChannels"
        count = self._audio.get_device_count()
        infos = [dict(self._audio.get_device_info_by_index(index)) for index in range(count)]
        return [info for info in infos if info[channels] > 0]

    def _index(self, name: str | None, output: bool) -> int | None:
        infos = self._infos(output)
        where = "speaker" if output else "microphone"
        if not infos:
            raise AudioDeviceError(where, "there is none", "plug one in, or start the sound server")
        if name is None:
            return None
        for info in infos:
            if name.lower() in str(info["name"]).lower():
                return int(info["index"])
        known = ", ".join(str(info["name"]) for info in infos)
        raise AudioDeviceError(where, f"none is called {name!r}", f"choose one of: {known}")


class MicrophoneSource:
    """Frames from a microphone, stamped when their last sample arrived."""

    def __init__(self, audio: PortAudio, index: int | None, clock: Clock) -> None:
        self._clock = clock
        self._go_on = audio.go_on
        self._frames: queue.Queue[Frame | None] = queue.Queue(QUEUE_FRAMES)
        self.dropped = 0
        """Frames lost because the box was too slow."""
        self._closed = threading.Event()
        self._stream = audio.open(
            input=True,
            input_device_index=index,
            frames_per_buffer=FRAME_SAMPLES,
            stream_callback=self._arrived,
        )

    def frames(self) -> Iterator[Frame]:
        """Yield frames until closed.

        Raises:
            AudioDeviceError: the microphone gave nothing for two seconds.
        """
        while not self._closed.is_set():
            try:
                frame = self._frames.get(timeout=SILENT_S)
            except queue.Empty:
                raise AudioDeviceError(
                    "microphone", "gives no sound any more", "check that it is plugged in"
                ) from None
            if frame is None:
                return
            yield frame

    def close(self) -> None:
        if self._closed.is_set():
            return
        self._closed.set()
        self._stream.close()
        self._put(None)

    def _arrived(self, data: bytes, count: int, times: Any, status: int) -> tuple[None, int]:
        now = self._clock.now()
        pcm = from_pcm16(data)
        for end in range(FRAME_SAMPLES, len(pcm) + 1, FRAME_SAMPLES):
            age = (len(pcm) - end) / SAMPLE_RATE
            self._put(Frame(pcm[end - FRAME_SAMPLES : end], now - age))
        return None, self._go_on

    def _put(self, frame: Frame | None) -> None:
        while True:
            try:
                return self._frames.put_nowait(frame)
            except queue.Full:
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        try:
            self._frames.get_nowait()
        except queue.Empty:
            return
        self.dropped += 1
        if self.dropped % 100 == 1:
            log.warning("sound is lost: the box is too slow", extra={"frames": self.dropped})


class SpeakerSink:
    """A loudspeaker that pulls what it plays."""

    def __init__(self, audio: PortAudio, index: int | None, clock: Clock) -> None:
        self._audio = audio
        self._index = index
        self._clock = clock
        self._pull: Pull | None = None
        self._stream: Any = None
        self._latency = 0.0

    def start(self, pull: Pull) -> None:
        self._pull = pull
        self._stream = self._audio.open(
            output=True,
            output_device_index=self._index,
            frames_per_buffer=PERIOD,
            stream_callback=self._wanted,
        )
        self._latency = float(self._stream.get_output_latency())

    def tick(self, t: float) -> None:
        """The device keeps its own time."""

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _wanted(self, data: None, count: int, times: Any, status: int) -> tuple[bytes, int]:
        pull = self._pull
        sounds_at = self._clock.now() + self._latency
        pcm = np.zeros(count, np.float32) if pull is None else pull(count, sounds_at)
        return to_pcm16(pcm), self._audio.go_on
