"""The wake word on synthetic speech: it wakes once, for its own phrase, and after a reset again."""

from __future__ import annotations

import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from device.sound.files import read_audio
from device.sound.frames import FRAME_SAMPLES
from device.wake.micro_wakeword import PHRASES, MicroWakeWordDetector, WakeError, cutoff

needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="needs flite")
needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")


@lru_cache
def say(program: str, voice: str, text: str, folder: Path) -> np.ndarray:
    """float32[n]: synthetic speech with a second of faint noise on either side."""
    path = folder / "said.wav"
    if program == "flite":
        command = ["flite", "-voice", voice, "-t", text, "-o", str(path)]
    else:
        command = ["espeak-ng", "-v", voice, "-s", "140", "-w", str(path), text]
    subprocess.run(command, check=True, timeout=30)
    said = read_audio(path)
    rng = np.random.default_rng(0)
    pad = np.zeros(16_000, np.float32)
    pcm = np.concatenate([pad, said * (0.4 / np.abs(said).max()), pad])
    return (pcm + 1e-4 * rng.standard_normal(len(pcm))).astype(np.float32)


def wakes(detector: MicroWakeWordDetector, pcm: np.ndarray) -> list[float]:
    """Seconds at which it woke."""
    frames = pcm[: len(pcm) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    return [index / 100 for index, frame in enumerate(frames) if detector.feed(frame)]


@needs_flite
@pytest.mark.parametrize("voice", ["rms", "slt", "awb"])
def test_flite_voices_wake_it_once(voice: str, tmp_path: Path) -> None:
    pcm = say("flite", voice, "okay nabu", tmp_path)
    assert len(wakes(MicroWakeWordDetector("okay nabu", 0.5), pcm)) == 1


@needs_espeak
@pytest.mark.parametrize("voice", ["en-us", "en-gb+f3", "en-us+m3"])
def test_espeak_voices_wake_it_within_a_quarter_second(voice: str, tmp_path: Path) -> None:
    pcm = say("espeak-ng", voice, "okay nabu", tmp_path)
    (woke,) = wakes(MicroWakeWordDetector("okay nabu", 0.5), pcm)
    end = np.flatnonzero(np.abs(pcm) > 0.02)[-1] / 16_000
    assert -0.3 < woke - end < 0.3


@needs_flite
@pytest.mark.parametrize(
    "text", ["turn on the kitchen light", "okay google", "what time is it", "hey jarvis"]
)
def test_other_words_do_not(text: str, tmp_path: Path) -> None:
    pcm = say("flite", "rms", text, tmp_path)
    assert wakes(MicroWakeWordDetector("okay nabu", 0.5), pcm) == []


@needs_flite
def test_it_wakes_again_after_the_pause_and_after_a_reset(tmp_path: Path) -> None:
    pcm = say("flite", "rms", "okay nabu", tmp_path)
    detector = MicroWakeWordDetector("okay nabu", 0.5)
    assert len(wakes(detector, np.concatenate([pcm, pcm]))) == 2
    detector.reset()
    first = wakes(MicroWakeWordDetector("okay nabu", 0.5), pcm)
    assert wakes(detector, pcm) == first


@pytest.mark.parametrize("phrase", sorted(PHRASES))
def test_every_phrase_loads_and_sleeps_through_silence(phrase: str) -> None:
    detector = MicroWakeWordDetector(phrase, 1.0)
    assert wakes(detector, np.zeros(32_000, np.float32)) == []
    assert 0.0 <= detector.score < 0.5


def test_sensitivity_moves_the_cut_off_around_the_published_one() -> None:
    assert cutoff(0.85, 0.5) == pytest.approx(0.85)
    assert cutoff(0.85, 0.0) > 0.98
    assert 0.2 < cutoff(0.85, 1.0) < 0.4


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"phrase": "hello house"}, "hello house"),
        ({"sensitivity": 1.5}, "0 to 1"),
        ({"model": Path("nowhere.json")}, "nowhere.json"),
    ],
)
def test_a_wake_word_that_cannot_be(arguments, says: str) -> None:
    with pytest.raises(WakeError, match=says):
        MicroWakeWordDetector(**arguments)
