"""Speech or not, on recordings of people with and without noise, and on synthetic levels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from device.sound.files import read_audio
from device.sound.frames import FRAME_SAMPLES
from device.speech_activity import (
    LEVELS,
    ActivityConfig,
    GatedActivity,
    LevelMeter,
    Silero,
    last_voiced,
)

AUDIO = Path(__file__).parents[3] / "shared" / "audio"
needs_recordings = pytest.mark.skipif(
    not (AUDIO / "vad_segments").is_dir(), reason="needs the tuning recordings"
)


def noise(seconds: float, level: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (level * rng.standard_normal(int(seconds * 16_000))).astype(np.float32)


class Told:
    """A network that says what it is told, one probability a frame."""

    def __init__(self, probabilities: list[float]) -> None:
        self._left = list(probabilities)

    def feed(self, pcm: np.ndarray) -> float:
        return self._left.pop(0)

    def reset(self) -> None:
        return None


def flags(activity, pcm: np.ndarray) -> np.ndarray:
    count = len(pcm) // FRAME_SAMPLES
    return np.array(
        [activity.feed(f) > 0.5 for f in pcm[: count * FRAME_SAMPLES].reshape(count, -1)]
    )


def test_the_level_shuts_the_gate_before_the_network_does() -> None:
    pcm = np.concatenate([noise(1, 0.001), noise(1, 0.1), noise(1, 0.001)])
    late = [0.0] * 100 + [0.8] * 125 + [0.0] * 75  # still sure 250 ms after the end
    seen = flags(GatedActivity(network=Told(late)), pcm)
    assert seen[105:195].all()
    assert not seen[:100].any()
    assert not seen[204:].any()


def test_the_level_bridges_a_moment_of_doubt() -> None:
    pcm = np.concatenate([noise(1, 0.001), noise(1, 0.1), noise(1, 0.001)])
    doubt = [0.0] * 100 + [0.8] * 40 + [0.05] * 20 + [0.8] * 40 + [0.0] * 100
    assert flags(GatedActivity(network=Told(doubt)), pcm)[105:195].all()


def test_loud_noise_alone_does_not_hold_the_gate_for_ever() -> None:
    pcm = np.concatenate([noise(1, 0.001), noise(3, 0.1)])
    seen = flags(GatedActivity(network=Told([0.0] * 100 + [0.8] * 50 + [0.0] * 250)), pcm)
    held = np.flatnonzero(seen[150:])
    assert len(held) * 10 <= ActivityConfig().hold_ms + 20


def test_noise_without_the_network_never_opens() -> None:
    assert not flags(GatedActivity(network=Told([0.1] * 300)), noise(3, 0.3)).any()


def test_a_frame_has_160_samples() -> None:
    with pytest.raises(ValueError, match="160"):
        GatedActivity(network=Told([0.0])).feed(np.zeros(80, np.float32))


def test_level_and_background() -> None:
    meter = LevelMeter()
    for frame in noise(3, 0.01).reshape(-1, FRAME_SAMPLES):
        meter.feed(frame)
    assert meter.level == pytest.approx(-40, abs=1.5)
    assert meter.floor == pytest.approx(-40, abs=1.5)
    for frame in noise(1, 0.3).reshape(-1, FRAME_SAMPLES):
        meter.feed(frame)
    assert meter.floor == pytest.approx(-40, abs=1.5)


def test_last_voiced_sample() -> None:
    pcm = np.concatenate([noise(0.5, 0.001), noise(1.0, 0.1), noise(0.5, 0.001)])
    assert last_voiced(pcm) == 24_000
    assert last_voiced(np.zeros(0, np.float32)) == 0
    assert last_voiced(np.zeros(1_600, np.float32)) == 0


def test_network_ignores_noise_and_restarts_clean() -> None:
    network = Silero()
    pcm = noise(1.0, 0.05).reshape(-1, FRAME_SAMPLES)
    first = [network.feed(frame) for frame in pcm]
    network.reset()
    assert [network.feed(frame) for frame in pcm] == first
    assert max(first) < 0.5


@needs_recordings
def test_a_meeting_is_told_from_its_silences() -> None:
    folder = AUDIO / "vad_segments"
    clip = json.loads((folder / "manifest.jsonl").read_text().splitlines()[0])
    seen = flags(GatedActivity(), read_audio(folder / clip["path"]))
    truth = np.zeros(len(seen), bool)
    for start, end, _ in clip["turns"]:
        truth[int(start * 100) : int(end * 100)] = True
    assert seen[~truth].mean() < 0.1
    assert seen[truth].mean() > 0.55  # far-field, with breaths and pauses inside the turns


@needs_recordings
@pytest.mark.parametrize("snr", [20, 10])
def test_commands_in_noise_begin_and_end(snr: int) -> None:
    """Real commands, noise before, during and after: found, and over within a second."""
    noises = [read_audio(path) for path in sorted((AUDIO / "noise").glob("*.flac"))]
    lines = (AUDIO / "cmd_home_multi" / "manifest.jsonl").read_text().splitlines()
    clips = [clip for clip in map(json.loads, lines) if clip["text"]][::4]
    ended = 0
    for index, clip in enumerate(clips):
        said = read_audio(AUDIO / "cmd_home_multi" / clip["path"])
        pcm = np.concatenate([noise(1, 1e-4), said, noise(1.5, 1e-4)])
        around = np.resize(noises[(index * 5) % len(noises)], len(pcm))
        gain = np.sqrt(np.mean(said**2) / np.mean(around**2)) * 10 ** (-snr / 20)
        seen = flags(GatedActivity(), np.clip(pcm + gain * around, -1, 1).astype(np.float32))
        middle = seen[100 : 100 + len(said) // FRAME_SAMPLES]
        ended += bool(middle.any()) and not seen[-50:].any()
    assert ended >= 0.8 * len(clips)


def test_levels_go_from_seldom_to_often() -> None:
    opens = [level.open_probability for level in LEVELS]
    assert opens == sorted(opens)
    assert len(LEVELS) == 4
    assert LEVELS[2] == ActivityConfig()
