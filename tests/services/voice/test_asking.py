"""A risky command aloud: asked, answered without the wake word, and only a yes opens."""

from __future__ import annotations

import numpy as np
import pytest

from device.sound.clock import VirtualClock
from device.sound.files import FileSource, RecordingSink
from services.language.calls import Call
from services.voice.controller import State
from services.voice.loop import TimelineEvent, VoiceLoop
from services.voice.worker import InlineWorker
from tests.services.voice.test_loop import silence, speech, wake
from tests.support.scripted_model import (
    AnsweringModel,
    LockedHome,
    LoudActivity,
    MarkedWake,
    Script,
    ScriptedModel,
)

UNLOCK = Call.of("HassTurnOff", name="front door")
QUESTION = Script("unlock the front door", UNLOCK, "should i unlock the front door", 0.5)
COMMAND = (wake(), silence(0.3), speech(1.0), silence(0.5 + 0.5 + 0.2))
"""The command, the end of it, and the question."""


class Stage:
    def __init__(self, model: ScriptedModel) -> None:
        self.clock = VirtualClock()
        self.model = model
        self.home = LockedHome(self.clock.now)
        self.events: list[TimelineEvent] = []
        self.loop = VoiceLoop(
            model,
            self.home,
            MarkedWake(),
            LoudActivity(),
            clock=self.clock,
            worker=InlineWorker(),
            emit=self.events.append,
        )

    def play(self, *pieces: np.ndarray) -> None:
        source = FileSource(np.concatenate(pieces), self.clock, lambda: self.loop.busy)
        self.loop.run(source, RecordingSink())

    def told(self, kind: str) -> list[TimelineEvent]:
        return [event for event in self.events if event.kind == kind]


def test_a_yes_needs_no_wake_word_and_opens_the_door_once() -> None:
    stage = Stage(AnsweringModel(QUESTION, Script("yes", reply="the front door is unlocked")))
    stage.play(*COMMAND, speech(0.3), silence(2.0))
    asked, answered = stage.told("outcome")
    assert asked.data["outcome"].error == "needs_confirmation"  # type: ignore[attr-defined]
    assert answered.data["outcome"].error is None  # type: ignore[attr-defined]
    assert stage.home.unlocked_in == [answered.turn_id]
    assert answered.turn_id > asked.turn_id
    assert len(stage.told("wake")) == 1
    assert [event.data["reason"] for event in stage.told("turn_end")] == ["done", "done"]
    assert stage.loop.state is State.IDLE


def test_the_answer_is_heard_without_the_question_in_it() -> None:
    stage = Stage(AnsweringModel(QUESTION, Script("yes")))
    stage.play(*COMMAND, speech(0.3, seed=9), silence(2.0))
    said = speech(0.3, seed=9)
    heard = stage.model.sessions[1].heard_pcm
    at = int(np.flatnonzero(heard == said[0])[0])
    assert np.array_equal(heard[at : at + len(said)], said)
    assert not heard[:at].any()


@pytest.mark.parametrize("words", ["no", "", "turn on the light", "yes but later"])
def test_anything_else_leaves_it_locked(words: str) -> None:
    # Even a model that makes a call of the answer is not listened to.
    stage = Stage(AnsweringModel(QUESTION, Script(words, call=UNLOCK)))
    stage.play(*COMMAND, speech(0.3), silence(2.0))
    assert stage.home.unlocked_in == []
    assert stage.told("outcome")[1].data["outcome"].error == "left_alone"  # type: ignore[attr-defined]


def test_silence_leaves_it_locked_and_the_box_rests() -> None:
    stage = Stage(AnsweringModel(QUESTION, Script("yes")))
    stage.play(*COMMAND, silence(6.0))
    assert stage.home.unlocked_in == []
    assert [event.data["reason"] for event in stage.told("turn_end")] == ["done", "no_speech"]
    assert stage.loop.state is State.IDLE


def test_a_yes_after_the_wake_word_is_a_command_and_no_answer() -> None:
    stage = Stage(AnsweringModel(QUESTION, Script("yes")))
    stage.play(*COMMAND, wake(), silence(0.3), speech(0.3), silence(2.0))
    assert stage.home.unlocked_in == []
    assert len(stage.told("outcome")) == 1


def test_a_yes_over_the_question_is_no_answer() -> None:
    stage = Stage(AnsweringModel(Script("unlock", UNLOCK, "should i", 5.0), Script("yes")))
    stage.play(wake(), silence(0.3), speech(1.0), silence(1.5), speech(1.2), silence(2.0))
    assert len(stage.told("interrupted")) == 1
    assert stage.home.unlocked_in == []


def test_a_yes_too_late_is_no_answer() -> None:
    slow = Script("unlock the front door", UNLOCK, "should i", seconds=9.5)
    stage = Stage(AnsweringModel(slow, Script("yes")))
    stage.play(wake(), silence(0.3), speech(1.0), silence(0.5 + 9.7), speech(0.3), silence(2.0))
    assert stage.told("outcome")[1].data["outcome"].error == "too_late"  # type: ignore[attr-defined]
    assert stage.home.unlocked_in == []


def test_a_model_that_cannot_hear_a_yes_asks_nothing() -> None:
    stage = Stage(ScriptedModel(QUESTION, Script("yes")))
    stage.play(*COMMAND, speech(0.3), silence(2.0))
    (refused,) = stage.told("outcome")
    assert "answer_s" not in refused.data["outcome"].facts  # type: ignore[attr-defined]
    assert len(stage.model.sessions) == 1
    assert stage.loop.state is State.IDLE
