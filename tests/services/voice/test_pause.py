"""A pause is told once, when it is long enough, and only after speech."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.voice.pause import QUIET_FRAMES, PauseWatch

PIECE = 160
QUIET_S = QUIET_FRAMES / 100


def pieces(*parts: tuple[float, float]) -> list[np.ndarray]:
    """(seconds, level) parts of noise, cut into 10 ms."""
    rng = np.random.default_rng(1)
    sound = [level * rng.standard_normal(int(s * 16_000)) for s, level in parts]
    whole = np.concatenate(sound).astype(np.float32)
    return [whole[at : at + PIECE] for at in range(0, len(whole), PIECE)]


def told(parts: list[np.ndarray]) -> list[float]:
    """Seconds at which a pause was told."""
    watch = PauseWatch()
    return [0.01 * (n + 1) for n, piece in enumerate(parts) if watch.feed(piece)]


def test_a_pause_is_told_when_it_is_long_enough() -> None:
    assert told(pieces((1.0, 0.1), (0.5, 0.001))) == [pytest.approx(1.0 + QUIET_S, abs=0.011)]


def test_each_pause_is_told_once() -> None:
    parts = pieces((1.0, 0.1), (0.3, 0.001), (0.5, 0.1), (1.0, 0.001))
    assert told(parts) == [
        pytest.approx(1.0 + QUIET_S, abs=0.011),
        pytest.approx(1.8 + QUIET_S, abs=0.011),
    ]


def test_silence_before_anybody_spoke_is_no_pause() -> None:
    assert told(pieces((0.1, 0.1), (1.0, 0.001))) == []


def test_steady_noise_ten_decibels_below_speech_hides_the_pause() -> None:
    assert told(pieces((1.0, 0.1), (0.5, 0.032))) == []


@given(st.lists(st.integers(0, 2_000), max_size=30))
def test_any_cutting_of_silence_is_harmless(sizes: list[int]) -> None:
    watch = PauseWatch()
    assert not any(watch.feed(np.zeros(n, np.float32)) for n in sizes)


@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=30))
def test_how_the_sound_is_cut_does_not_matter(sizes: list[int]) -> None:
    whole = np.concatenate(pieces((0.6, 0.1), (0.3, 0.001), (0.5, 0.1), (1.0, 0.001)))
    watch, at, count = PauseWatch(), 0, 0
    for size in [*sizes, *([4_000] * 10)]:
        count += watch.feed(whole[at : at + size])
        at += size
    # A piece may hold two pauses at most here, and is told of once.
    assert 1 <= count <= 2
