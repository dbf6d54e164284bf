"""No gap in a spoken reply at an Orin's pace, 20 to 30 ids a second; on a virtual clock."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.speech.glm_frames import BLOCK, frames_of
from services.language.schedule import InterleaveSchedule
from services.voice.families.glm_pacing import (
    FRAME_S,
    LARGEST,
    LONGEST_WAIT_S,
    Pace,
    Pacing,
    safe_start,
    sounding,
)

THIRTEEN_26 = InterleaveSchedule(13, 26)
CODES = 375  # 30 s
DECODE_S = 0.15


@dataclass
class Played:
    """A simulated reply: when each piece was ready and how long it lasts."""

    start: float
    ready: list[tuple[float, float]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def gaps(self) -> float:
        """Seconds the loudspeaker had nothing to say before the end."""
        at, missing = self.start, 0.0
        for ready, lasts in self.ready:
            missing += max(0.0, ready - at)
            at = max(at, ready) + lasts
        return missing


def play(rate: float, pacing: Pacing, codes: int = CODES, decode_s: float = DECODE_S) -> Played:
    """The language model beside the speech decoder, each on its own."""
    now = free = 0.0
    waiting = done = ids = 0
    played = Played(start=-1.0)
    coming: list[tuple[float, int]] = []  # blocks in work: when ready, of how many codes
    pacing.begin(now)
    while done + waiting < codes or coming:
        now += 1 / rate
        if done + waiting < codes:
            waiting += THIRTEEN_26.slot(ids) == "audio"
            ids += 1
            pacing.wrote()
        last = done + waiting == codes
        if waiting and (waiting >= pacing.wanted(now) or last):
            free = max(free, now) + decode_s
            coming.append((free, waiting))
            lasts = sounding(done + waiting, last=last) - sounding(done)
            played.ready.append((free, lasts))
            played.sizes.append(waiting)
            done, waiting = done + waiting, 0
        while coming and coming[0][0] <= now:
            pacing.made(coming.pop(0)[1], decode_s, beside=True)
        if played.start < 0 and pacing.may_start(now):
            played.start = now
    if played.start < 0:  # over before it was safe: now nothing can come too late
        played.start = now
    return played


@pytest.mark.parametrize(
    ("rate", "first_s", "safe_s"), [(20, 1.30, 1.77), (25, 1.07, 1.21), (30, 0.92, 0.92)]
)
def test_the_safe_start_is_the_one_that_was_planned(
    rate: float, first_s: float, safe_s: float
) -> None:
    start = safe_start(THIRTEEN_26, Pace(1 / rate, DECODE_S))
    assert (13 + 10) / rate + DECODE_S == pytest.approx(first_s, abs=0.005)
    # The plan's vocoder holds back one frame more than ours, 12 ms.
    assert start == pytest.approx(safe_s, abs=0.02)


@pytest.mark.parametrize("rate", [20, 25, 30, 60])
def test_a_reply_of_30_s_is_heard_without_a_gap(rate: float) -> None:
    played = play(rate, Pacing(THIRTEEN_26))
    assert played.gaps() == 0
    assert played.start <= safe_start(THIRTEEN_26, Pace(1 / rate, DECODE_S)) + 2 / rate
    assert sum(lasts for _, lasts in played.ready) == pytest.approx(frames_of(CODES) * FRAME_S)


def test_a_start_at_once_would_have_had_a_gap() -> None:
    played = play(20, Pacing(THIRTEEN_26))
    played.start = played.ready[0][0]
    assert played.gaps() > 0.3


def test_blocks_grow_where_there_is_time_and_stay_small_where_there_is_none() -> None:
    slow, quick = play(20, Pacing(THIRTEEN_26)), play(60, Pacing(THIRTEEN_26))
    assert slow.sizes[0] == quick.sizes[0] == BLOCK
    assert max(quick.sizes) == LARGEST
    assert len(quick.sizes) < len(slow.sizes)
    assert all(size % BLOCK == 0 for size in quick.sizes[:-1])


@settings(max_examples=40)
@given(
    rate=st.floats(20, 80),
    decode_s=st.floats(0.0, 0.3),
    codes=st.integers(1, 400),
)
def test_no_pace_that_keeps_up_has_a_gap(rate: float, decode_s: float, codes: int) -> None:
    played = play(rate, Pacing(THIRTEEN_26), codes, decode_s)
    assert played.gaps() == pytest.approx(0, abs=1e-9)


def test_a_model_slower_than_speech_still_begins() -> None:
    played = play(12, Pacing(THIRTEEN_26))
    assert 0 < played.start <= LONGEST_WAIT_S + 1 / 12
    assert played.gaps() > 0
