"""Microphone and loudspeaker against a real sound server whose speaker is its microphone."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from device.sound.files import read_audio
from device.sound.portaudio import AudioDeviceError, PortAudio
from tests.support.sound_server import NoSoundServer, sound_server

pytestmark = pytest.mark.audio

ROOT = Path(__file__).parents[2]
has_pyaudio = importlib.util.find_spec("pyaudio") is not None


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    if not has_pyaudio:
        pytest.skip("PyAudio is not installed (extra: audio)")
    try:
        with sound_server(tmp_path_factory.mktemp("sound")) as env:
            yield env
    except NoSoundServer as reason:
        pytest.skip(str(reason))


def python(env: dict[str, str], *arguments: str) -> str:
    """Run in a child: ALSA reads its settings once, and writes to stderr as it likes."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return done.stdout.splitlines()[-1]


def test_a_tone_goes_round_the_room_and_stops_when_flushed(
    room: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "room.wav"
    told = json.loads(python(room, "-m", "tests.support.loop_back", str(out)))
    assert told["dropped"] == 0
    assert told["frames"] == 300
    assert told["clock_s"] == pytest.approx(2.99, abs=0.3)
    assert not told["backwards"]
    assert 0 < told["played_at_flush"] < 3 * 16_000
    assert told["played_after"] == told["played_at_flush"]  # not one sample more
    heard = read_audio(out)
    loud = np.abs(heard.reshape(-1, 160)).max(axis=1) > 0.1
    assert loud[60:140].mean() > 0.9
    assert not loud[-60:].any()
    spectrum = np.abs(np.fft.rfft(heard[16_000:22_400]))
    assert np.argmax(spectrum) * 16_000 / 6_400 == pytest.approx(440, abs=3)


def test_an_unknown_device_is_named_with_its_alternatives(room: dict[str, str]) -> None:
    program = (
        "from device.sound.portaudio import *\n"
        "try:\n    PortAudio().source('no such thing')\n"
        "except AudioDeviceError as error:\n    print(error)"
    )
    line = python(room, "-c", program)
    assert "no such thing" in line
    assert "pulse" in line


@pytest.mark.skipif(has_pyaudio, reason="PyAudio is installed")
def test_without_pyaudio_the_extra_is_named() -> None:
    with pytest.raises(AudioDeviceError, match=r"linnet\[audio\]"):
        PortAudio()
