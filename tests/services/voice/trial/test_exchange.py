"""One model gives way to another while somebody speaks; every sample and turn accounted for."""

from __future__ import annotations

import time

import numpy as np
import pytest

from device.errors import EngineError
from device.sound.clock import VirtualClock
from device.sound.files import FileSource, RecordingSink
from device.sound.frames import FRAME_SAMPLES
from services.language.homeview import HomeView
from services.voice.controller import State
from services.voice.loop import TimelineEvent, VoiceLoop
from services.voice.trial.exchange import Absent, Exchange, Loaded, TurnCount
from services.voice.worker import InlineWorker
from tests.support.scripted_model import LoudActivity, MarkedWake, QuietHome, Script, ScriptedModel
from tests.support.silent_room import hearing


def wake() -> np.ndarray:
    frame = np.zeros(FRAME_SAMPLES, np.float32)
    frame[0] = MarkedWake.MARK
    return frame


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * 16_000), np.float32)


def speech(seconds: float) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(int(seconds * 16_000))).astype("f")


def turn() -> np.ndarray:
    return np.concatenate([wake(), silence(0.3), speech(0.8), silence(2.0)])


def test_a_turn_keeps_its_model_and_the_next_has_the_new_one() -> None:
    """The exchange comes in the middle of the first reply."""
    new = ScriptedModel(Script(reply="new"))
    exchanges: list[Exchange] = []

    def in_the_middle() -> None:
        if exchanges[0].serving.generation == "old":
            exchanges[0].put_in(Loaded(new, "new"))

    old = ScriptedModel(Script(reply="old"), before_chunk=in_the_middle)
    events: list[TimelineEvent] = []
    clock = VirtualClock()
    counts = TurnCount(clock.now)

    def emit(event: TimelineEvent) -> None:
        events.append(event)
        counts.add(event)

    loop = VoiceLoop(
        old, QuietHome(), MarkedWake(), LoudActivity(), clock=clock, worker=InlineWorker(),
        emit=emit,
    )  # fmt: skip
    exchanges.append(Exchange(loop, Loaded(old, "old"), HomeView, counts))
    sound = np.concatenate([turn(), turn(), turn()])
    loop.run(FileSource(sound, clock, lambda: loop.busy), RecordingSink())
    replies = [event.data["text"] for event in events if event.kind == "reply_text"]
    assert replies == ["old", "new", "new"]
    assert [e.data["reason"] for e in events if e.kind == "turn_end"] == ["done"] * 3
    assert old.sessions[0].committed == 8_000, "its reply was heard to the last sample"
    assert (counts.done, counts.failed) == (2, 0), "the first was the old one's"


def test_a_turn_that_the_old_model_spoils_is_not_held_against_the_new_one() -> None:
    """It goes on while the exchange is made, and ends in a fault after it."""
    exchanges: list[Exchange] = []

    def in_the_middle() -> None:
        exchanges[0].put_in(Loaded(ScriptedModel(), "new"))
        raise RuntimeError

    old = ScriptedModel(Script(), before_chunk=in_the_middle)
    clock, ends = VirtualClock(), []
    counts = TurnCount(clock.now)

    def emit(event: TimelineEvent) -> None:
        counts.add(event)
        if event.kind == "turn_end":
            ends.append(event.data["reason"])

    loop = VoiceLoop(
        old, QuietHome(), MarkedWake(), LoudActivity(), clock=clock, worker=InlineWorker(),
        emit=emit,
    )  # fmt: skip
    exchanges.append(Exchange(loop, Loaded(old, "old"), HomeView, counts))
    sound = np.concatenate([turn(), silence(4.0), turn()])
    loop.run(FileSource(sound, clock, lambda: loop.busy), RecordingSink())
    assert ends == ["fault: RuntimeError", "done"]
    assert (counts.done, counts.failed) == (1, 0)


def test_faults_and_hangs_count_and_silence_does_not() -> None:
    counts = TurnCount(lambda: 0.0)
    for reason in ("done", "fault: ValueError", "timeout", "no_speech", "barge_in", "stopped"):
        counts.add(TimelineEvent("turn_end", 1, 0, 0, {"reason": reason}))
    counts.add(TimelineEvent("reply_text", 1, 0, 0, {"text": "fault"}))
    assert (counts.done, counts.failed) == (1, 2)
    counts.begin_again(after=7)
    for turn_id in (7, 8):
        counts.add(TimelineEvent("turn_end", turn_id, 0, 0, {"reason": "done"}))
    assert (counts.done, counts.failed) == (1, 0)


def test_where_there_is_no_room_for_two_nobody_is_heard_meanwhile() -> None:
    model = ScriptedModel()
    loop = VoiceLoop(model, QuietHome(), MarkedWake(), LoudActivity())
    exchange = Exchange(loop, Loaded(model, "old", version="0.3.0"), HomeView, TurnCount())
    with hearing(loop):
        exchange.take_out()
        assert loop.state is State.UPDATING
        assert isinstance(loop.model, Absent)
        assert exchange.serving.version == "0.3.0", "the owner is shown what is installed"
        with pytest.raises(EngineError, match="exchanged"):
            loop.model.session(HomeView())
        exchange.put_in(Loaded(ScriptedModel(), "new"))
        deadline = time.monotonic() + 10
        while loop.state is State.UPDATING:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert exchange.serving.generation == "new"
    loop.worker.close(2)
    with pytest.raises(EngineError, match="cannot be exchanged"):
        exchange.put_in(Loaded(ScriptedModel(), "late"))
