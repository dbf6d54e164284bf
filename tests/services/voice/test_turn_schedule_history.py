"""Fencing, interleaving and the cut of history: pure parts of a turn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.language.schedule import InterleaveSchedule
from services.voice.history import History, SpokenReply
from services.voice.turn import TurnFence


def test_fence_admits_only_the_current_turn() -> None:
    fence = TurnFence()
    first = fence.advance()
    assert fence.admits(first)
    second = fence.advance()
    assert second > first
    assert not fence.admits(first)
    assert fence.admits(second)


def test_glm_schedule_is_thirteen_and_twenty_six() -> None:
    cursor = InterleaveSchedule(13, 26).cursor()
    slots = [cursor.advance() for _ in range(78)]
    block = ["text"] * 13 + ["audio"] * 26
    assert slots == block * 2


@given(st.integers(1, 20), st.integers(1, 30), st.integers(0, 200))
def test_ended_text_leaves_only_sound(text: int, audio: int, at: int) -> None:
    schedule = InterleaveSchedule(text, audio)
    cursor = schedule.cursor()
    for index in range(at):
        assert cursor.next == schedule.slot(index)
        cursor.advance()
    cursor.end_text()
    assert cursor.text_ended
    assert {cursor.advance() for _ in range(60)} == {"audio"}


@given(st.integers(1, 20), st.integers(1, 30))
def test_every_block_has_its_share(text: int, audio: int) -> None:
    schedule = InterleaveSchedule(text, audio)
    for start in range(0, 3 * schedule.period, schedule.period):
        block = [schedule.slot(start + i) for i in range(schedule.period)]
        assert block.count("text") == text
        assert block == sorted(block, reverse=True)  # text first


@pytest.mark.parametrize(("text", "audio"), [(0, 1), (1, 0), (-1, 2)])
def test_impossible_schedule(text: int, audio: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        InterleaveSchedule(text, audio)


def test_unheard_words_are_cut() -> None:
    reply = SpokenReply()
    reply.add_text("the kitchen light")
    reply.add_audio(1_700)
    reply.add_text(" is on now")
    reply.add_audio(1_000)
    assert reply.heard(0) == ""
    assert reply.heard(350) == "the"
    assert reply.heard(1_700) == "the kitchen light"
    assert reply.heard(2_700) == "the kitchen light is on now"
    history = History(limit=2)
    cut = history.add("turn on the kitchen light", reply, 900)
    assert cut.interrupted
    assert cut.reply == "the kitchen"
    assert not history.add("again", reply, 2_700).interrupted


@given(
    st.lists(st.one_of(st.text("ab ", min_size=1, max_size=12), st.integers(0, 500)), max_size=12),
    st.integers(0, 4_000),
    st.integers(0, 4_000),
)
def test_heard_text_is_a_growing_prefix_of_whole_words(steps, a: int, b: int) -> None:
    reply = SpokenReply()
    for step in steps:
        if isinstance(step, str):
            reply.add_text(step)
        else:
            reply.add_audio(step)
    less, more = reply.heard(min(a, b)), reply.heard(max(a, b))
    assert reply.text.startswith(less)
    assert more.startswith(less)
    rest = reply.text[len(less) :]
    starts = {len("".join(t for t, _ in reply.pieces[:i])) for i in range(len(reply.pieces))}
    assert not rest or rest[0] == " " or len(less) in starts or less == ""


def test_history_is_bounded() -> None:
    history = History(limit=2)
    for n in range(5):
        history.add(str(n), SpokenReply(), 0)
    assert [e.user for e in history] == ["3", "4"]
    history.clear()
    assert len(history) == 0
