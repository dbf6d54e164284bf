"""No gap in a spoken reply at an Orin's pace, 20 to 30 ids a second; on a virtual clock."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.speech.glm_frames import BLOCK, FRAMES, frames_of
from device.speech.glm_speaking import OPENING, Rates
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


def rates(decode_s: float) -> Rates:
    """Of a decoder that needs so long for a window of 64 codes, nearly all of it to solve."""
    return Rates(0.9 * decode_s / FRAMES, 0.1 * decode_s / FRAMES)


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
        ready = waiting if last else waiting // BLOCK * BLOCK
        if ready and (ready >= pacing.wanted(now, waiting) or last):
            took = rates(decode_s).block_s(done + ready, ready)
            free = max(free, now) + took
            coming.append((free, ready))
            lasts = sounding(done + ready, last=last) - sounding(done)
            played.ready.append((free, lasts))
            played.sizes.append(ready)
            done, waiting = done + ready, waiting - ready
        while coming and coming[0][0] <= now:
            pacing.made(coming.pop(0)[1], 0.0, rates(decode_s))
        if played.start < 0 and pacing.may_start(now):
            played.start = now
    if played.start < 0:  # over before it was safe: now nothing can come too late
        played.start = now
    return played


def play_in_turns(rate: float, pacing: Pacing, decode_s: float, codes: int = CODES) -> Played:
    """One processor: the language model waits while sound is made, and the other way round."""
    now, known = 0.0, rates(decode_s)
    waiting = done = ids = 0
    played = Played(start=-1.0)
    pacing.begin(now)
    while done < codes:
        now += 1 / rate
        waiting += THIRTEEN_26.slot(ids) == "audio"
        ids += 1
        pacing.wrote()
        last = done + waiting == codes
        ready = waiting if last else waiting // BLOCK * BLOCK
        if not ready or not (ready >= pacing.wanted(now, waiting) or last):
            if played.start < 0 and pacing.may_start(now):
                played.start = now
            continue
        begun, whole = now, known.block_s(done + ready, ready)
        pieces = [(now + whole, sounding(done + ready, last=last) - sounding(done))]
        if not done:  # what is left of the first block comes later
            opened, heard = known.opening_s(ready), OPENING * FRAME_S
            pieces = [(now + opened, heard), (now + whole, pieces[0][1] - heard)]
        for number, (at, lasts) in enumerate(pieces):
            pacing.made(0 if number else ready, at - now, known)
            now = at
            played.ready.append((at, lasts))
            if played.start < 0 and pacing.may_start(now):
                played.start = now
        assert now == pytest.approx(begun + whole)
        played.sizes.append(ready)
        done, waiting = done + ready, waiting - ready
    played.start = now if played.start < 0 else played.start
    return played


@pytest.mark.parametrize(
    ("rate", "first_s", "safe_s"), [(20, 1.30, 1.77), (25, 1.07, 1.21), (30, 0.92, 0.92)]
)
def test_the_safe_start_is_the_one_that_was_planned(
    rate: float, first_s: float, safe_s: float
) -> None:
    """In blocks of ten from beginning to end."""
    start = safe_start(THIRTEEN_26, Pace(1 / rate, block_s=DECODE_S, beside=True), [100])
    assert (13 + 10) / rate + DECODE_S == pytest.approx(first_s, abs=0.005)
    # The plan's vocoder holds back one frame more than ours, 12 ms.
    assert start == pytest.approx(safe_s, abs=0.02)


@pytest.mark.parametrize("rate", [20, 25, 30, 60])
def test_a_reply_of_30_s_is_heard_without_a_gap(rate: float) -> None:
    played = play(rate, Pacing(THIRTEEN_26, beside=True))
    assert played.gaps() == 0
    known = Pace(1 / rate, rates(DECODE_S), beside=True)
    assert played.start <= safe_start(THIRTEEN_26, known) + 2 / rate
    assert sum(lasts for _, lasts in played.ready) == pytest.approx(frames_of(CODES) * FRAME_S)


def test_a_start_at_once_would_have_had_a_gap() -> None:
    played = play(20, Pacing(THIRTEEN_26, beside=True))
    played.start = played.ready[0][0]
    assert played.gaps() > 0.3


def test_blocks_grow_where_there_is_time_and_stay_small_where_there_is_none() -> None:
    slow, quick = (
        play(20, Pacing(THIRTEEN_26, beside=True)),
        play(60, Pacing(THIRTEEN_26, beside=True)),
    )
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
    played = play(rate, Pacing(THIRTEEN_26, beside=True), codes, decode_s)
    assert played.gaps() == pytest.approx(0, abs=1e-9)


def test_a_model_slower_than_speech_still_begins() -> None:
    played = play(12, Pacing(THIRTEEN_26, beside=True))
    assert 0 < played.start <= LONGEST_WAIT_S + 1 / 12
    assert played.gaps() > 0


@settings(max_examples=40)
@given(rate=st.floats(25, 150), decode_s=st.floats(0.0, 0.15), codes=st.integers(1, 400))
def test_taking_turns_leaves_no_gap_either(rate: float, decode_s: float, codes: int) -> None:
    played = play_in_turns(rate, Pacing(THIRTEEN_26), decode_s, codes)
    assert played.gaps() == pytest.approx(0, abs=1e-9)


def test_a_quick_machine_is_heard_from_its_first_piece_of_sound_on() -> None:
    played = play_in_turns(100, Pacing(THIRTEEN_26), 0.2)
    assert played.start == played.ready[0][0]  # with the opening, not with the block
    assert played.ready[0][1] == pytest.approx(OPENING * FRAME_S)


def test_a_machine_that_needs_larger_blocks_to_keep_up_need_not_wait_for_them() -> None:
    """Ten codes at a time it would fall behind for ever."""
    pace = Pace(1 / 100, rates(0.9))
    assert safe_start(THIRTEEN_26, pace, [100]) == LONGEST_WAIT_S
    assert safe_start(THIRTEEN_26, pace) < 1.0
    played = play_in_turns(100, Pacing(THIRTEEN_26), 0.9)
    assert played.gaps() == pytest.approx(0, abs=1e-9)
    assert played.start < 1.0


def test_what_sound_costs_hangs_on_its_window() -> None:
    known = Rates(solve_s=0.001, voice_s=0.0)
    assert known.block_s(20, 10) == pytest.approx(0.001 * frames_of(20))
    assert known.block_s(500, 10) == pytest.approx(0.001 * FRAMES)
