"""Recordings in and out: any common WAV becomes 16 kHz mono frames, or one clear error.

Reading is bounded (ten minutes unless told otherwise) and done in blocks, so a two-hour file is
refused from its header and never held in memory. Decoding is libsndfile's, resampling soxr's.
libsndfile quietly shortens a truncated WAV, therefore the RIFF header is checked here first.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from device.errors import AudioError
from device.sound.clock import Clock
from device.sound.frames import FRAME_S, FRAME_SAMPLES, SAMPLE_RATE, Frame, Pcm, Pull, to_pcm16

MAX_SECONDS = 600.0
MIN_RATE, MAX_RATE = 8_000, 96_000  # Hz
MAX_CHANNELS = 2
BLOCK_FRAMES = 65_536  # decoded at a time
_STREAMED = {0, 0xFFFFFFFF}  # data sizes that recorders write when they could not seek back


class AudioFileError(AudioError):
    """A recording that cannot be used: what is wrong, where, and what to do about it."""

    def __init__(self, path: Path, what: str, hint: str) -> None:
        super().__init__(str(path), what, hint)


def read_audio(path: Path | str, max_seconds: float = MAX_SECONDS) -> Pcm:
    """Read a recording as float32[n] at 16 kHz mono; stereo is averaged, any width accepted.

    Raises:
        AudioFileError: missing, empty, truncated, not a recording, too long, a rate outside
            8..96 kHz, more than two channels, or samples that are not numbers.
    """
    path = Path(path)
    _check_container(path)
    try:
        with soundfile.SoundFile(path) as sound:
            _check_shape(path, sound, max_seconds)
            return _decode(path, sound, max_seconds)
    except soundfile.LibsndfileError as error:
        raise AudioFileError(
            path, "not a sound recording this box can read", "give a PCM or float WAV file"
        ) from error


def write_wav(path: Path | str, pcm: Pcm) -> None:
    """Write float32[n] at 16 kHz as a 16-bit mono WAV; parent directories are made."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.frombuffer(to_pcm16(pcm), dtype="<i2")
    soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16", format="WAV")


def _check_container(path: Path) -> None:
    try:
        size = path.stat().st_size
        if size == 0:
            raise AudioFileError(path, "the file is empty (0 bytes)", "record it again")
        with path.open("rb") as file:
            promised = _promised_data(file)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise AudioFileError(path, f"cannot be opened ({reason})", "check the path") from error
    if promised is not None and promised > size:
        raise AudioFileError(
            path,
            f"truncated: its header promises {promised} bytes, the file has {size}",
            "copy or record it again",
        )


def _promised_data(file: BinaryIO) -> int | None:
    """File offset at which a RIFF/WAVE file's sound should end; None where that is not said."""
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    while len(header := file.read(8)) == 8:
        name, length = struct.unpack("<4sI", header)
        if name == b"data":
            return None if length in _STREAMED else file.tell() + length
        file.seek(length + (length & 1), os.SEEK_CUR)  # chunks are padded to even sizes
    return None


def _check_shape(path: Path, sound: soundfile.SoundFile, max_seconds: float) -> None:
    if not MIN_RATE <= sound.samplerate <= MAX_RATE:
        raise AudioFileError(
            path, f"its rate is {sound.samplerate} Hz", f"use {MIN_RATE} to {MAX_RATE} Hz"
        )
    if sound.channels > MAX_CHANNELS:
        raise AudioFileError(path, f"it has {sound.channels} channels", "mix it to one or two")
    if sound.frames == 0:
        raise AudioFileError(path, "it holds no sound (0 samples)", "record it again")
    seconds = sound.frames / sound.samplerate
    if seconds > max_seconds:
        raise AudioFileError(
            path,
            f"it lasts {seconds / 60:.0f} minutes",
            f"cut it to {max_seconds / 60:.0f} minutes or less",
        )


def _decode(path: Path, sound: soundfile.SoundFile, max_seconds: float) -> Pcm:
    resampler = (
        soxr.ResampleStream(sound.samplerate, SAMPLE_RATE, 1, dtype="float32")
        if sound.samplerate != SAMPLE_RATE
        else None
    )
    blocks: list[Pcm] = []
    left = int(max_seconds * sound.samplerate)  # a header may lie about the length
    while left > 0:
        block = sound.read(min(BLOCK_FRAMES, left), dtype="float32", always_2d=True)
        left -= len(block)
        last = len(block) < BLOCK_FRAMES or left <= 0
        mono = block.mean(axis=1, dtype=np.float32)
        if not np.isfinite(mono).all():
            raise AudioFileError(path, "it holds samples that are not numbers", "export it again")
        blocks.append(mono if resampler is None else resampler.resample_chunk(mono, last=last))
        if last:
            break
    return np.clip(np.concatenate(blocks), -1.0, 1.0).astype(np.float32, copy=False)


class FileSource:
    """Plays sound as a microphone would: 10 ms frames, paced by the clock it is given.

    A ``MonotonicClock`` gives real pace, a ``VirtualClock`` as fast as possible. After the sound,
    silence is given for as long as ``tail()`` is true, so that a reply can be played to its end.
    """

    def __init__(self, pcm: Pcm, clock: Clock, tail: Callable[[], bool] = lambda: False) -> None:
        self._pcm = pcm
        self._clock = clock
        self._tail = tail
        self._closed = False

    def frames(self) -> Iterator[Frame]:
        start = self._clock.now()
        for index, pcm in enumerate(self._sound()):
            if self._closed:
                return
            t = start + (index + 1) * FRAME_S
            self._clock.sleep_until(t)
            yield Frame(pcm, t)

    def close(self) -> None:
        self._closed = True

    def _sound(self) -> Iterator[Pcm]:
        for at in range(0, len(self._pcm), FRAME_SAMPLES):
            piece = self._pcm[at : at + FRAME_SAMPLES]
            yield np.pad(piece, (0, FRAME_SAMPLES - len(piece)))
        silence = np.zeros(FRAME_SAMPLES, np.float32)
        while self._tail():
            yield silence


class RecordingSink:
    """Plays into memory in step with the input: what a loudspeaker would have sounded."""

    def __init__(self) -> None:
        self._pull: Pull | None = None
        self._played: list[Pcm] = []

    def start(self, pull: Pull) -> None:
        self._pull = pull

    def tick(self, t: float) -> None:
        if self._pull is not None:
            self._played.append(self._pull(FRAME_SAMPLES, t))

    def close(self) -> None:
        self._pull = None

    @property
    def played(self) -> Pcm:
        """float32[n]: everything since the start, silence included."""
        return np.concatenate([np.zeros(0, np.float32), *self._played])


class DiscardingSink:
    """Plays to nobody, in step with the input: replies take the time they would take aloud."""

    def __init__(self) -> None:
        self._pull: Pull | None = None

    def start(self, pull: Pull) -> None:
        self._pull = pull

    def tick(self, t: float) -> None:
        if self._pull is not None:
            self._pull(FRAME_SAMPLES, t)

    def close(self) -> None:
        self._pull = None
