"""Seconds under watch: what counts, and how little a restart may cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ota_agent.soaking import APART_S, KEEP_S, Soak

GAPS = st.lists(st.floats(0, 100), max_size=60)


@given(st.lists(GAPS, min_size=1, max_size=4))
def test_restarts_cost_at_most_what_was_not_kept_yet(lives: list[list[float]]) -> None:
    kept = [0.0]
    total = 0.0
    for gaps in lives:
        soak, now = Soak(kept[-1], kept.append), 0.0  # a clock that begins anew
        seconds = soak.answered(now)
        assert seconds == kept[-1]
        for gap in gaps:
            now += gap
            seconds = soak.answered(now)
            total += gap if gap <= APART_S else 0
        assert seconds - kept[-1] < KEEP_S + 1e-6
    assert kept == sorted(kept)
    assert kept[-1] <= total + 1e-6
    assert kept[-1] > total - len(lives) * KEEP_S - 1e-6


def test_silence_does_not_count() -> None:
    soak = Soak(0, lambda seconds: None)
    soak.answered(0)
    assert soak.answered(10) == 10
    assert soak.answered(1000) == 10
    assert soak.answered(1010) == pytest.approx(20)
