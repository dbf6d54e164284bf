"""Run as a program beside a sound server: plays a tone, interrupts it, and records the room.

``python -m tests.support.loop_back OUT.wav`` prints one JSON object with what it measured.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from device.sound.files import write_wav
from device.sound.playback import PlaybackQueue
from device.sound.portaudio import PortAudio

TONE_S = 3.0
FLUSH_AT = 150  # frames
FRAMES = 300


def main(path: str) -> None:
    t = np.arange(int(TONE_S * 16_000)) / 16_000
    playback = PlaybackQueue()
    playback.enqueue(1, (0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32))
    heard, times = [], []
    with PortAudio() as audio:
        source, sink = audio.source("pulse"), audio.sink("pulse")
        sink.start(playback.pull)
        for frame in source.frames():
            heard.append(frame.pcm)
            times.append(frame.t)
            if len(heard) == FLUSH_AT:
                played = playback.samples_played(1)
                playback.flush(below=2)
            if len(heard) == FRAMES:
                source.close()
        after = playback.samples_played(1)
        sink.close()
        names = {"in": audio.devices(output=False), "out": audio.devices(output=True)}
    write_wav(path, np.concatenate(heard))
    steps = np.diff(times)
    print(
        json.dumps(
            {
                "played_at_flush": played,
                "played_after": after,
                "dropped": source.dropped,
                "frames": len(heard),
                "clock_s": times[-1] - times[0],
                "backwards": bool((steps < 0).any()),
                "devices": names,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
