"""What is played, what was heard, and that an interrupted reply is silent at once."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.sound.chime import ring
from device.sound.frames import SAMPLE_RATE
from device.sound.playback import KEPT_TURNS, MAX_SECONDS, PlaybackQueue


def ones(n: int, value: float = 1.0) -> np.ndarray:
    return np.full(n, value, np.float32)


def test_pull_joins_pieces_and_pads_with_silence() -> None:
    queue = PlaybackQueue()
    queue.enqueue(1, ones(100, 0.1))
    queue.enqueue(1, ones(30, 0.2))
    out = queue.pull(160, 0.0)
    assert np.array_equal(out, np.concatenate([ones(100, 0.1), ones(30, 0.2), ones(30, 0.0)]))
    assert queue.samples_played(1) == 130
    assert queue.empty


def test_flush_silences_older_turns_within_one_period() -> None:
    queue = PlaybackQueue()
    queue.enqueue(1, ones(1_000))
    queue.pull(160, 0.0)
    assert queue.flush(below=2) == 840
    assert np.all(queue.pull(160, 0.01) == 0)
    assert queue.samples_played(1) == 160
    assert not queue.enqueue(1, ones(10))  # too late: its turn is over
    assert queue.enqueue(2, ones(10))
    assert queue.pull(10, 0.02).max() == 1.0


def test_first_audible_sample_is_timed_past_leading_silence() -> None:
    queue = PlaybackQueue()
    queue.enqueue(4, ones(200, 0.001))
    queue.enqueue(4, ones(200, 0.5))
    assert queue.first_audible(4) is None
    queue.pull(160, 1.0)
    assert queue.first_audible(4) is None
    queue.pull(160, 1.01)
    assert queue.first_audible(4) == pytest.approx(1.01 + 40 / SAMPLE_RATE)


def test_ducking_fades_without_a_step() -> None:
    queue = PlaybackQueue()
    queue.enqueue(1, ones(16_000))
    queue.duck(0.25)
    out = np.concatenate([queue.pull(97, 0.0) for _ in range(10)])
    assert np.abs(np.diff(out)).max() < 0.01
    assert out[-1] == pytest.approx(0.25)
    queue.duck(1.0)
    out = np.concatenate([queue.pull(97, 0.0) for _ in range(10)])
    assert out[-1] == pytest.approx(1.0)
    with pytest.raises(ValueError, match="outside"):
        queue.duck(1.5)


def test_queue_is_bounded() -> None:
    queue = PlaybackQueue()
    assert queue.enqueue(1, ones(MAX_SECONDS * SAMPLE_RATE))
    assert not queue.enqueue(1, ones(1))
    for turn in range(2, 2 + KEPT_TURNS):
        queue.flush(below=turn)
        queue.enqueue(turn, ones(1))
    assert queue.samples_played(1) == 0  # forgotten, not kept for ever


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.integers(1, 5), st.integers(0, 400)),
            st.tuples(st.just("pull"), st.integers(0, 400), st.just(0)),
            st.tuples(st.just("flush"), st.integers(0, 6), st.just(0)),
        ),
        max_size=60,
    )
)
def test_no_sample_is_lost_doubled_or_stale(steps) -> None:
    queue = PlaybackQueue()
    fence, accepted, dropped, played = 0, 0, 0, 0
    for kind, a, b in steps:
        if kind == "put":
            if queue.enqueue(a, ones(b, float(a))):
                assert a >= fence
                accepted += b
        elif kind == "pull":
            out = queue.pull(a, 0.0)
            assert len(out) == a
            assert not np.any((out > 0) & (out < fence))
            played += int(np.count_nonzero(out))
        else:
            dropped += queue.flush(a)
            fence = max(fence, a)
    played += int(np.count_nonzero(queue.pull(accepted + 1, 0.0)))
    assert played + dropped == accepted
    assert queue.empty


def test_two_threads_agree_on_the_count() -> None:
    queue = PlaybackQueue()
    heard: list[int] = []

    def speaker() -> None:
        while sum(heard) < 50_000:
            heard.append(int(np.count_nonzero(queue.pull(160, 0.0))))

    thread = threading.Thread(target=speaker)
    thread.start()
    for _ in range(500):
        queue.enqueue(1, ones(100))
    thread.join(timeout=20)
    assert sum(heard) == 50_000 == queue.samples_played(1)


def test_volume_scales_what_is_pulled() -> None:
    queue = PlaybackQueue(volume=0.5)
    queue.enqueue(1, ones(10, 0.8))
    assert queue.pull(10, 0.0) == pytest.approx(0.4)
    with pytest.raises(ValueError, match="outside"):
        PlaybackQueue(volume=2.0)


def test_the_volume_changes_in_the_middle_of_a_reply_without_a_step() -> None:
    queue = PlaybackQueue(volume=0.5)
    queue.enqueue(1, ones(16_000))
    before = queue.pull(160, 0.0)
    queue.set_volume(0.9)
    out = np.concatenate([before, *(queue.pull(97, 0.0) for _ in range(10))])
    assert np.abs(np.diff(out)).max() < 0.01
    assert (out[0], out[-1]) == pytest.approx((0.5, 0.9))
    with pytest.raises(ValueError, match="volume"):
        queue.set_volume(1.1)


def test_the_volume_holds_while_a_reply_is_ducked_and_after() -> None:
    queue = PlaybackQueue(volume=0.5)
    queue.enqueue(1, ones(1_000))
    queue.duck(0.5)
    queue.set_volume(0.8)
    assert queue.pull(400, 0.0)[-1] == pytest.approx(0.4)
    queue.duck(1.0)
    assert queue.pull(400, 0.0)[-1] == pytest.approx(0.8)


def test_a_ring_is_audible_and_never_clips() -> None:
    sound = ring(2)
    assert len(sound) == 2 * SAMPLE_RATE
    assert 0.1 < np.abs(sound).max() < 0.5
    assert np.abs(np.diff(sound)).max() < 0.2  # no click
