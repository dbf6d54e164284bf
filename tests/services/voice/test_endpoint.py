"""Beginning and end of an utterance, and speech over a reply, on a virtual clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.voice.endpoint import (
    Barge,
    BargeIn,
    BargeInConfig,
    Decision,
    EndpointConfig,
    Endpointer,
)


def run(plan: str, complete_from: int = 10**9, after_wake: bool = False, **config: int):
    """Feed one character for 10 ms (``x`` speech, ``.`` silence); decisions with their ms."""
    endpointer = Endpointer(EndpointConfig(**config), 0.0, after_wake)
    seen = []
    for index, mark in enumerate(plan):
        ms = (index + 1) * 10
        decision = endpointer.feed(ms / 1000, mark == "x", complete=ms >= complete_from)
        if decision is not Decision.NONE:
            seen.append((decision.value, ms))
            if decision is not Decision.START:
                break
    return seen


def test_an_utterance_starts_and_ends() -> None:
    plan = "." * 30 + "x" * 100 + "." * 100
    assert run(plan) == [("start", 300 + 120), ("end", 1300 + 500)]


def test_a_complete_command_ends_sooner() -> None:
    plan = "x" * 100 + "." * 100
    assert run(plan, complete_from=900)[-1] == ("end", 1300)
    assert run(plan, complete_from=1400)[-1] == ("end", 1400)  # the hint came during the silence


def test_a_pause_inside_the_sentence_is_not_its_end() -> None:
    plan = "x" * 50 + "." * 45 + "x" * 50 + "." * 100
    assert run(plan)[-1] == ("end", 1950)


def test_a_click_is_not_a_word() -> None:
    assert run("." * 100 + "xxx" + "." * 500) == [("timeout", 5000)]


def test_silence_times_out() -> None:
    assert run("." * 600) == [("timeout", 5000)]


def test_speech_just_before_the_time_out_still_counts() -> None:
    assert run("." * 495 + "x" * 30 + "." * 60)[0] == ("start", 5070)


def test_endless_speech_is_cut() -> None:
    assert run("x" * 1400) == [("start", 120), ("end", 12_000)]


def test_the_tail_of_the_wake_word_is_not_the_command() -> None:
    tail = "x" * 14 + "." * 40
    assert run(tail + "." * 500, after_wake=True) == [("timeout", 5000)]
    assert run(tail + "x" * 50 + "." * 60, after_wake=True)[0] == ("start", 540 + 120)


def test_a_command_without_a_pause_after_the_wake_word_counts() -> None:
    assert run("x" * 150 + "." * 60, after_wake=True) == [("start", 370), ("end", 2000)]


runs = st.lists(st.tuples(st.sampled_from("x."), st.integers(1, 200)), max_size=12)
plans = runs.map(lambda pieces: "".join(mark * count for mark, count in pieces))


@given(plans)
def test_decisions_come_once_and_in_order(plan: str) -> None:
    seen = [kind for kind, _ in run(plan)]
    assert seen in ([], ["start"], ["timeout"], ["start", "end"])


@given(plans, st.booleans())
def test_listening_always_comes_to_an_end(plan: str, after_wake: bool) -> None:
    plan += "." * 600
    assert run(plan, after_wake=after_wake)[-1][0] in {"end", "timeout"}


@pytest.mark.parametrize(
    "config",
    [
        {"complete_silence_ms": 600},
        {"trailing_silence_ms": 13_000},
        {"min_speech_ms": 0},
        {"no_speech_ms": -1},
    ],
)
def test_impossible_settings(config: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="ms"):
        EndpointConfig(**config)


def barge(plan: str) -> list[tuple[str, int]]:
    barge_in = BargeIn(BargeInConfig())
    barge_in.feed(0.0, False)
    seen = []
    for index, mark in enumerate(plan):
        decision = barge_in.feed((index + 1) / 100, mark == "x")
        if decision is not Barge.NONE:
            seen.append((decision.value, (index + 1) * 10))
    return seen


def test_speech_over_a_reply_is_suspected_then_confirmed() -> None:
    assert barge("." * 10 + "x" * 40)[:2] == [("suspect", 180), ("confirm", 420)]


def test_a_short_noise_only_ducks() -> None:
    assert barge("x" * 12 + "." * 60) == [("suspect", 80), ("clear", 520)]


def test_a_blip_does_nothing() -> None:
    assert barge(("x" * 3 + "." * 60) * 5) == []
