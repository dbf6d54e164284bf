"""Recordings of every common shape become the same 16 kHz mono sound, and bad ones one line."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import AudioError
from device.sound.clock import VirtualClock
from device.sound.files import (
    AudioFileError,
    FileSource,
    RecordingSink,
    read_audio,
    write_wav,
)
from device.sound.frames import FRAME_SAMPLES, SAMPLE_RATE, from_pcm16, to_pcm16


def tone(rate: int, seconds: float = 1.0, hertz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype("f4")


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_rate_is_resampled(tmp_path: Path, rate: int, channels: int) -> None:
    sound = np.repeat(tone(rate)[:, None], channels, axis=1)
    soundfile.write(tmp_path / "a.wav", sound, rate, subtype="FLOAT")
    pcm = read_audio(tmp_path / "a.wav")
    assert pcm.dtype == np.float32
    assert abs(len(pcm) - SAMPLE_RATE) <= 2
    middle = slice(4_000, 12_000)  # a resampler rings at the ends
    assert np.abs(pcm[middle] - tone(SAMPLE_RATE)[middle]).max() < 0.01


@pytest.mark.parametrize(
    ("subtype", "tolerance"),
    [("PCM_U8", 0.01), ("PCM_16", 1e-4), ("PCM_24", 1e-6), ("PCM_32", 1e-6), ("DOUBLE", 1e-6)],
)
def test_any_width_is_read(tmp_path: Path, subtype: str, tolerance: float) -> None:
    soundfile.write(tmp_path / "a.wav", tone(SAMPLE_RATE), SAMPLE_RATE, subtype=subtype)
    assert np.abs(read_audio(tmp_path / "a.wav") - tone(SAMPLE_RATE)).max() < tolerance


def test_stereo_is_averaged(tmp_path: Path) -> None:
    left = tone(SAMPLE_RATE)
    soundfile.write(tmp_path / "a.wav", np.stack([left, -left], axis=1), SAMPLE_RATE)
    assert np.abs(read_audio(tmp_path / "a.wav")).max() < 1e-3


def test_long_file_is_read_across_blocks(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(48_000, 7.3), 48_000, subtype="FLOAT")
    pcm = read_audio(tmp_path / "a.wav")
    expected = tone(SAMPLE_RATE, 7.3)
    middle = slice(4_000, 110_000)
    assert abs(len(pcm) - len(expected)) <= 2
    assert np.abs(pcm[middle] - expected[middle]).max() < 0.01


def empty(path: Path) -> None:
    path.write_bytes(b"")


def only_header(path: Path) -> None:
    soundfile.write(path, np.zeros(0, np.float32), SAMPLE_RATE)


def truncated(path: Path) -> None:
    soundfile.write(path, tone(SAMPLE_RATE), SAMPLE_RATE)
    path.write_bytes(path.read_bytes()[:9_000])


def not_a_wav(path: Path) -> None:
    path.write_text("this is not sound " * 100)


def two_hours(path: Path) -> None:
    """A header that promises two hours, followed by a sparse file of that size."""
    size = 2 * 3600 * SAMPLE_RATE * 2
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16,
        1, 1, SAMPLE_RATE, SAMPLE_RATE * 2, 2, 16, b"data", size,
    )  # fmt: skip
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + size)


def five_channels(path: Path) -> None:
    soundfile.write(path, np.zeros((160, 5), np.float32), SAMPLE_RATE)


def too_low_a_rate(path: Path) -> None:
    soundfile.write(path, tone(4_000), 4_000)


def not_numbers(path: Path) -> None:
    soundfile.write(path, np.full(160, np.nan, np.float32), SAMPLE_RATE, subtype="FLOAT")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (empty, "empty"),
        (only_header, "no sound"),
        (truncated, "truncated"),
        (not_a_wav, "not a sound recording"),
        (two_hours, "120 minutes"),
        (five_channels, "5 channels"),
        (too_low_a_rate, "4000 Hz"),
        (not_numbers, "not numbers"),
    ],
)
def test_bad_recording_gets_one_line(tmp_path: Path, make, says: str) -> None:
    path = tmp_path / "bad.wav"
    make(path)
    with pytest.raises(AudioFileError) as caught:
        read_audio(path)
    line = str(caught.value)
    assert says in line
    assert str(path) in line
    assert "\n" not in line
    assert "; " in line  # what to do
    assert isinstance(caught.value, AudioError)


def test_missing_file_and_directory(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.wav", tmp_path):
        with pytest.raises(AudioFileError, match=r"cannot be opened|not a sound"):
            read_audio(path)


def test_streamed_header_without_a_length_is_read(tmp_path: Path) -> None:
    path = tmp_path / "piped.wav"
    write_wav(path, tone(SAMPLE_RATE))
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(bytes(data))
    assert len(read_audio(path)) == SAMPLE_RATE


def test_wav_round_trip(tmp_path: Path) -> None:
    write_wav(tmp_path / "deep" / "a.wav", tone(SAMPLE_RATE))
    assert np.abs(read_audio(tmp_path / "deep" / "a.wav") - tone(SAMPLE_RATE)).max() < 1e-4
    assert np.abs(from_pcm16(to_pcm16(tone(SAMPLE_RATE))) - tone(SAMPLE_RATE)).max() < 1e-4


def test_source_paces_frames_by_its_clock() -> None:
    clock = VirtualClock(5.0)
    left = [3]

    def tail() -> bool:
        left[0] -= 1
        return left[0] >= 0

    frames = list(FileSource(tone(SAMPLE_RATE)[:400], clock, tail).frames())
    assert [round(f.t, 6) for f in frames] == [5.01, 5.02, 5.03, 5.04, 5.05, 5.06]
    assert all(f.pcm.shape == (FRAME_SAMPLES,) for f in frames)
    assert np.all(frames[2].pcm[80:] == 0)  # the last piece is filled up, then silence
    assert np.all(frames[4].pcm == 0)
    assert clock.now() == pytest.approx(5.06)


def test_source_stops_when_closed() -> None:
    source = FileSource(tone(SAMPLE_RATE), VirtualClock())
    seen = []
    for frame in source.frames():
        seen.append(frame)
        if len(seen) == 5:
            source.close()
    assert len(seen) == 5


def test_recording_sink_keeps_what_was_pulled() -> None:
    sink = RecordingSink()
    sink.tick(0.0)  # before the start nothing is asked for
    sink.start(lambda n, t: np.full(n, t, np.float32))
    sink.tick(0.25)
    sink.close()
    sink.tick(0.5)
    assert np.array_equal(sink.played, np.full(FRAME_SAMPLES, 0.25, np.float32))
