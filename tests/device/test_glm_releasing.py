"""Frames of a reply that grows: whatever the schedule, as many samples as its tokens last."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.speech.glm_frames import HELD, frames_of
from device.speech.glm_releasing import Releasing, Upstream, fade

HOP = 256
SCHEDULES = {"10": [10], "10, 20": [10, 20], "25, 50, 100, 150, 200": [25, 50, 100, 150, 200]}
SCHEDULES |= {"26": [26]}
"""Tokens of each call; the last number repeats."""


def blocks(schedule: str, tokens: int) -> list[int]:
    """Tokens of each call, the last one cut to what is left."""
    first, rest = SCHEDULES[schedule], SCHEDULES[schedule][-1]
    sizes: list[int] = []
    while (left := tokens - sum(sizes)) > 0:
        sizes.append(min(left, first[len(sizes)] if len(sizes) < len(first) else rest))
    return sizes


def numbered(first: int, end: int) -> np.ndarray:
    """Frames whose values are their numbers."""
    return np.tile(np.arange(first, end, dtype=np.float32), (80, 1))


def sizes_of(releasing: Releasing, calls: list[int], *, on_end: bool) -> list[int]:
    """Frames released by each call; ``on_end`` learns of the end only after the last block."""
    out, tokens = [], 0
    for n, size in enumerate(calls):
        tokens += size
        made = np.zeros((80, frames_of(tokens) - releasing.known), np.float32)
        last = not on_end and n == len(calls) - 1
        out.append(releasing.take(made, last=last).frames.shape[1])
    if on_end:
        out.append(releasing.finish().frames.shape[1])
    return out


@pytest.mark.parametrize("tokens", [1, 4, 5, 9, 10, 26, 40, 375])
@pytest.mark.parametrize("on_end", [True, False])
@pytest.mark.parametrize("schedule", list(SCHEDULES))
def test_every_schedule_gives_all_the_sound_and_no_more(
    schedule: str, on_end: bool, tokens: int
) -> None:
    released = sizes_of(Releasing(), blocks(schedule, tokens), on_end=on_end)
    assert HOP * sum(released) == HOP * frames_of(tokens)


def test_the_worked_example() -> None:
    releasing = Releasing()
    assert sizes_of(releasing, [10, 10, 10], on_end=False)[:2] == [34, 69]
    assert frames_of(30) == releasing.known == 206


@given(st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_after_every_call_all_but_the_newest_34_frames_are_out(sizes: list[int]) -> None:
    releasing, tokens, out = Releasing(), 0, 0
    for size in sizes:
        tokens += size
        made = np.zeros((80, frames_of(tokens) - releasing.known), np.float32)
        out += releasing.take(made, last=False).frames.shape[1]
        assert out == releasing.known == max(0, frames_of(tokens) - HELD)
    assert out + releasing.finish().frames.shape[1] == frames_of(tokens)


@pytest.mark.parametrize(("schedule", "lost_ms"), [("25, 50, 100, 150, 200", 35), ("10, 20", 209)])
def test_the_published_counting_loses_a_frame_in_every_call_from_the_third(
    schedule: str, lost_ms: int
) -> None:
    calls = blocks(schedule, 375)
    released = sizes_of(Upstream(), calls, on_end=False)
    lost = frames_of(375) - sum(released)
    assert lost == len(calls) - 2
    assert round(lost * HOP / 22_050 * 1000) == lost_ms


def test_frames_come_out_in_order_and_unchanged_where_both_versions_agree() -> None:
    releasing, out = Releasing(), []
    for tokens, last in ((10, False), (20, False), (33, True)):
        made = numbered(releasing.known, frames_of(tokens))
        out.append(releasing.take(made, last=last).frames)
    np.testing.assert_allclose(np.concatenate(out, axis=1), numbered(0, frames_of(33)), rtol=1e-6)


def test_two_versions_of_a_frame_are_faded_from_the_old_to_the_new() -> None:
    releasing = Releasing()
    releasing.take(np.zeros((80, 68), np.float32), last=False)
    joined = releasing.take(np.ones((80, 103), np.float32), last=True).frames
    assert (np.diff(joined[0, :HELD]) > 0).all()
    assert (joined[:, HELD:] == 1).all()
    np.testing.assert_allclose(fade() + fade()[::-1], 1.0, atol=1e-6)


def test_the_published_fade_is_louder_than_what_it_joins() -> None:
    releasing = Upstream()
    releasing.take(np.ones((80, 68), np.float32), last=False)
    seam = releasing.take(np.ones((80, 103), np.float32), last=True).frames[0, :HELD]
    assert 1.05 < seam.min() <= seam.max() < 1.09


def test_what_is_ahead_is_what_was_held_back() -> None:
    taken = Releasing().take(numbered(0, 68), last=False)
    assert np.array_equal(taken.ahead, numbered(34, 68))
