"""Makes the recordings of ``linnet demo``: the wake word, a pause, a command, in one WAV file.

    python -m model_export.training.demo_recordings services/demo/recordings

What is said, and by whom, stands in ``turns.json`` of that folder. Only voices that the model was
never trained on may speak there, and a recording that does not wake the box is not written.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from device.sound.files import write_wav
from device.sound.frames import FRAME_SAMPLES, SAMPLE_RATE, Pcm
from device.sound.synthesis import HELD_OUT_ESPEAK, HELD_OUT_VOICES, Voice, speak
from device.wake.micro_wakeword import MicroWakeWordDetector

WAKE_WORDS = "okay nabu"
LEAD_S = 0.3
PAUSE_S = 0.4  # between wake word and command, as a person makes it
TAIL_S = 1.0
PEAK = 0.5  # of the speech, full scale being 1
NOISE = 6e-4  # root mean square of the room, about -64 dBFS
SMOOTHING = 8  # samples over which the noise is averaged: rooms hum more than they hiss


def recording(voice: Voice, command: str, seed: int) -> Pcm:
    """Wake word and command as one take, float32[n] at 16 kHz.

    Raises:
        RuntimeError: the voice's program is missing or failed.
    """
    spoken = speak(voice, [WAKE_WORDS, command])
    wake, rest = (np.asarray(pcm, np.float32) / np.float32(32768) for pcm in spoken)
    pieces: list[Pcm] = [_silence(LEAD_S), wake, _silence(PAUSE_S), rest, _silence(TAIL_S)]
    clean: Pcm = np.concatenate(pieces, dtype=np.float32)
    out: Pcm = clean * np.float32(PEAK / np.abs(clean).max()) + _room(len(clean), seed)
    return out


def wakes(pcm: Pcm) -> bool:
    """Whether the box would wake by this recording, at its usual sensitivity."""
    detector = MicroWakeWordDetector(WAKE_WORDS)
    frames = (pcm[at : at + FRAME_SAMPLES] for at in range(0, len(pcm), FRAME_SAMPLES))
    return sum(detector.feed(frame) for frame in frames if len(frame) == FRAME_SAMPLES) == 1


def held_out(label: str) -> Voice:
    """``engine:name`` as a voice.

    Raises:
        ValueError: the model was trained on it.
    """
    engine, name = label.split(":")
    if label not in HELD_OUT_VOICES and name.rpartition("+")[2] not in HELD_OUT_ESPEAK:
        raise ValueError(f"{label} is a training voice; choose one that is held out")
    return Voice(engine, name)


def main(argv: Sequence[str]) -> int:
    folder = Path(argv[0])
    turns = json.loads((folder / "turns.json").read_text(encoding="utf-8"))["turns"]
    for seed, turn in enumerate(turns):
        pcm = recording(held_out(turn["voice"]), turn["said"], seed)
        if not wakes(pcm):
            print(f"{turn['recording']}: does not wake the box exactly once; not written")
            return 1
        write_wav(folder / turn["recording"], pcm)
        print(f"{turn['recording']}: {len(pcm) / SAMPLE_RATE:.1f} s by {turn['voice']}")
    return 0


def _silence(seconds: float) -> Pcm:
    return np.zeros(int(seconds * SAMPLE_RATE), np.float32)


def _room(samples: int, seed: int) -> Pcm:
    hiss = np.random.default_rng(seed).standard_normal(samples + SMOOTHING - 1)
    hum = np.convolve(hiss, np.full(SMOOTHING, 1 / np.sqrt(SMOOTHING)), mode="valid")
    room: Pcm = (NOISE * hum).astype(np.float32)
    return room


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
