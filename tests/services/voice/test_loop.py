"""The whole loop on frames and a virtual clock: no sleeping, every sample accounted for."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from device.sound.clock import VirtualClock
from device.sound.files import FileSource, RecordingSink
from device.sound.frames import FRAME_SAMPLES, Frame
from services.language.calls import Call
from services.voice.controller import Dwell, Event, State
from services.voice.loop import LoopConfig, TimelineEvent, VoiceLoop
from services.voice.worker import InlineWorker, ThreadWorker, Worker
from tests.support.scripted_model import (
    LoudActivity,
    MarkedWake,
    QuietHome,
    Script,
    ScriptedModel,
    voice,
)

LIGHT_ON = Call.of("HassTurnOn", name="kitchen light")


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * 16_000), np.float32)


def wake() -> np.ndarray:
    frame = np.zeros(FRAME_SAMPLES, np.float32)
    frame[0] = MarkedWake.MARK
    return frame


def speech(seconds: float, seed: int = 0) -> np.ndarray:
    """The user: noise at a speaker's level."""
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(int(seconds * 16_000))).astype(np.float32)


class Stage:
    """A loop with its surroundings, played from a recording."""

    def __init__(
        self,
        *scripts: Script,
        config: LoopConfig | None = None,
        worker: Worker | None = None,
        before_chunk=lambda: None,
    ) -> None:
        self.clock = VirtualClock()
        self.model = ScriptedModel(*scripts, before_chunk=before_chunk)
        self.home = QuietHome()
        self.events: list[TimelineEvent] = []
        self.sink = RecordingSink()
        self.loop = VoiceLoop(
            self.model,
            self.home,
            MarkedWake(),
            LoudActivity(),
            config=config,
            clock=self.clock,
            worker=worker or InlineWorker(),
            emit=self.events.append,
        )

    def play(self, *pieces: np.ndarray) -> None:
        source = FileSource(np.concatenate(pieces), self.clock, lambda: self.loop.busy)
        self.loop.run(source, self.sink)

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    def event(self, kind: str, index: int = 0) -> TimelineEvent:
        return [event for event in self.events if event.kind == kind][index]


def test_a_command_is_heard_carried_out_and_answered() -> None:
    stage = Stage(Script(call=LIGHT_ON, reply="the kitchen light is on", seconds=0.7))
    stage.play(silence(0.5), wake(), silence(0.3), speech(1.0), silence(1.0))
    assert stage.kinds() == [
        "wake",
        "speech_start",
        "speech_end",
        "endpoint",
        "transcript",
        "call",
        "outcome",
        "reply_text",
        "first_audio",
        "turn_end",
    ]
    assert stage.home.executed == [(stage.events[0].turn_id, LIGHT_ON)]
    assert stage.event("call").data["call"] == LIGHT_ON
    assert stage.event("reply_text").data["text"] == "the kitchen light is on"
    assert stage.event("turn_end").data["reason"] == "done"
    assert stage.event("wake").t_ms == pytest.approx(-1310, abs=15)
    assert stage.event("speech_start").t_ms == pytest.approx(-1000, abs=15)
    assert stage.event("speech_end").t_ms == 0
    assert stage.event("endpoint").t_ms == pytest.approx(500, abs=1)
    assert stage.event("first_audio").t_ms == pytest.approx(500, abs=25)
    session = stage.model.sessions[0]
    assert session.committed == len(voice(0.7))
    assert stage.loop.state is State.IDLE


def test_the_reply_is_played_sample_for_sample() -> None:
    stage = Stage(Script(seconds=0.7))
    stage.play(wake(), silence(0.3), speech(1.0), silence(1.0))
    played = stage.sink.played
    first = int(np.flatnonzero(played)[0]) - 1  # a sine begins with a zero
    assert np.array_equal(played[first : first + len(voice(0.7))], voice(0.7))


def test_every_spoken_sample_reaches_the_model() -> None:
    said = speech(1.0, seed=4)
    stage = Stage(Script())
    stage.play(silence(0.5), wake(), silence(0.3), said, silence(1.0))
    heard = stage.model.sessions[0].heard_pcm
    at = int(np.flatnonzero(np.abs(heard) == np.abs(said[0]))[0])
    assert np.array_equal(heard[at : at + len(said)], said)
    assert len(heard) * 1000 / 16_000 == pytest.approx(160 + 300 + 1000 + 500, abs=30)


def test_words_right_behind_the_wake_word_are_not_lost() -> None:
    """The wake word is recognised 100 ms into the command."""
    said = speech(1.5, seed=5)
    stage = Stage(Script())
    late = said.copy()
    late[1_600] = MarkedWake.MARK
    stage.play(silence(0.5), late, silence(1.0))
    heard = stage.model.sessions[0].heard_pcm
    at = int(np.flatnonzero(heard == late[0])[0])
    assert np.array_equal(heard[at : at + len(late)], late)


def test_the_model_hears_while_the_user_speaks() -> None:
    stage = Stage(Script())
    heard_at: list[int] = []
    frames = FileSource(
        np.concatenate([wake(), silence(0.3), speech(1.0), silence(1.0)]), stage.clock
    ).frames()
    for frame in frames:
        stage.loop.step(frame)
        if stage.loop.state is State.LISTENING:
            heard_at.append(len(stage.model.sessions[0].heard_pcm))
    steps = np.diff(heard_at)
    assert steps.max() <= 640  # never more than 40 ms at once
    assert heard_at[-1] - heard_at[0] > 16_000


def test_a_complete_command_is_answered_sooner() -> None:
    stage = Stage(Script(complete_after_s=0.8))
    stage.play(wake(), silence(0.3), speech(1.0), silence(1.0))
    assert stage.event("endpoint").t_ms == pytest.approx(300, abs=1)


def test_nobody_speaks() -> None:
    stage = Stage(Script())
    stage.play(wake(), silence(0.2))
    assert stage.kinds() == ["wake", "turn_end"]
    assert stage.event("turn_end").data["reason"] == "no_speech"
    assert stage.event("wake").t_ms == pytest.approx(-5000, abs=11)
    assert stage.sink.played.max() == 0
    assert stage.model.sessions[0].cancelled.is_set()
    assert stage.loop.state is State.IDLE


def test_without_the_wake_word_nothing_is_heard() -> None:
    stage = Stage(Script())
    stage.play(speech(3.0), silence(1.0))
    assert stage.events == []
    assert stage.model.sessions == []


@pytest.mark.parametrize("how", ["wake", "barge_in"])
def test_a_reply_is_interrupted_within_one_period(how: str) -> None:
    stage = Stage(Script(reply="a long reply", seconds=5.0), Script(transcript="stop", seconds=0.1))
    interruption = [wake(), silence(0.3), speech(0.8)] if how == "wake" else [speech(1.2)]
    stage.play(wake(), silence(0.3), speech(1.0), silence(1.5), *interruption, silence(1.0))
    interrupted = stage.event("interrupted")
    assert interrupted.data["reason"] == how
    heard = interrupted.data["samples_heard"]
    first, second = stage.model.sessions[:2]
    assert first.cancelled.is_set()
    assert first.committed == heard
    assert 0 < heard < len(voice(5.0))
    # the frame in which the interruption was noticed is silent already
    at = round(interrupted.at_s * 16_000)
    assert not stage.sink.played[at - FRAME_SAMPLES : at + 4_000].any()
    assert len(second.heard_pcm) > 0.8 * 16_000
    assert stage.event("transcript", 1).data["text"] == "stop"
    assert stage.event("transcript", 1).turn_id > stage.event("transcript", 0).turn_id
    assert stage.loop.state is State.IDLE


def test_what_was_said_over_the_reply_is_heard_from_its_first_sample() -> None:
    over = speech(1.2, seed=7)
    stage = Stage(Script(seconds=5.0), Script(seconds=0.1))
    stage.play(wake(), silence(0.3), speech(1.0), silence(1.5), over, silence(1.0))
    heard = stage.model.sessions[1].heard_pcm
    at = int(np.flatnonzero(heard == over[0])[0])
    assert np.array_equal(heard[at : at + len(over)], over)


def test_a_cough_ducks_the_reply_and_lets_it_go_on() -> None:
    stage = Stage(Script(seconds=4.0))
    stage.play(wake(), silence(0.3), speech(1.0), silence(1.5), speech(0.15), silence(1.0))
    assert "interrupted" not in stage.kinds()
    assert stage.model.sessions[0].committed == len(voice(4.0))
    spans = np.abs(stage.sink.played).reshape(-1, FRAME_SAMPLES).max(axis=1)
    spoken = spans[spans > 0.01]
    assert spoken.min() < 0.15  # ducked for a while
    assert spoken[-20] == pytest.approx(0.4, abs=0.01)  # and back


def test_speech_does_not_interrupt_where_that_is_switched_off() -> None:
    stage = Stage(Script(seconds=3.0), config=LoopConfig(interrupt_by_speech=False))
    stage.play(wake(), silence(0.3), speech(1.0), silence(1.5), speech(1.0), silence(1.0))
    assert "interrupted" not in stage.kinds()
    assert len(stage.model.sessions) == 1


def test_a_follow_up_needs_no_wake_word() -> None:
    config = LoopConfig(dwell=Dwell(follow_up_ms=3_000))
    stage = Stage(Script(seconds=0.3), config=config)
    stage.play(wake(), silence(0.3), speech(1.0), silence(1.8), speech(1.0), silence(1.0))
    assert len(stage.model.sessions) == 2
    assert stage.kinds().count("turn_end") == 2
    assert "interrupted" not in stage.kinds()
    assert stage.loop.state is State.IDLE


def test_a_call_of_an_interrupted_turn_is_not_sent() -> None:
    """The wake word comes between the model's call and the home."""
    stage = Stage(Script(call=LIGHT_ON), Script(seconds=0.1))
    stage.home.before_execute = lambda: stage.loop.controller.fence.advance()
    stage.play(wake(), silence(0.3), speech(1.0), silence(0.8))
    assert stage.home.executed == []
    assert stage.home.refused == [LIGHT_ON]


def test_a_failing_model_ends_the_turn_and_the_next_one_works(caplog) -> None:
    secret = "the front door code is seven"
    stage = Stage(Script(fails_with=RuntimeError(secret)), Script(call=LIGHT_ON, seconds=0.2))
    command = (wake(), silence(0.3), speech(1.0), silence(1.0))
    with caplog.at_level(0):
        stage.play(*command, silence(3.5), *command)
    assert stage.event("turn_end").data["reason"] == "fault: RuntimeError"
    assert stage.event("turn_end", 1).data["reason"] == "done"
    assert len(stage.home.executed) == 1
    assert "turn failed" in caplog.text
    assert secret not in caplog.text


def test_nothing_that_was_said_is_logged(caplog) -> None:
    stage = Stage(Script(transcript="my secret wish", reply="your secret answer", call=LIGHT_ON))
    with caplog.at_level(0):
        stage.play(wake(), silence(0.3), speech(1.0), silence(1.0))
    assert "secret" not in caplog.text


def test_muting_stops_hearing_and_speaking() -> None:
    stage = Stage(Script(seconds=5.0))
    pcm = np.concatenate([wake(), silence(0.3), speech(1.0), silence(1.5), wake(), speech(1.0)])
    stage.sink.start(stage.loop.playback.pull)
    for index, frame in enumerate(FileSource(pcm, stage.clock).frames()):
        if index == 200:
            assert stage.loop.state is State.SPEAKING
            stage.loop.post(Event.MUTE)
        stage.loop.step(frame)
        stage.sink.tick(frame.t)
    assert stage.loop.state is State.MUTED
    assert len(stage.model.sessions) == 1
    assert stage.event("turn_end").data["reason"] == "mute"
    stage.loop.post(Event.UNMUTE)
    stage.loop.step(Frame(silence(0.01), stage.clock.now()))
    assert stage.loop.state is State.IDLE


def test_a_threaded_model_is_cancelled_while_it_speaks() -> None:
    """The hearing thread goes on while the model is blocked, and its late sound is dropped."""
    gate = threading.Semaphore(10)
    worker = ThreadWorker()
    stage = Stage(
        Script(seconds=5.0), Script(seconds=0.1), worker=worker, before_chunk=gate.acquire
    )
    pcm = np.concatenate([wake(), silence(0.3), speech(1.0), silence(0.6)])
    tail = [True]
    source = FileSource(pcm, stage.clock, lambda: tail[0])
    stage.sink.start(stage.loop.playback.pull)
    waiting = threading.Event()
    for index, frame in enumerate(source.frames()):
        if stage.loop.state is State.SPEAKING:
            break
        stage.loop.step(frame)
        stage.sink.tick(frame.t)
        if index > 150:
            waiting.wait(0.005)  # let the model thread work: it has no virtual clock
        assert index < 2_000
    stage.loop.step(Frame(wake(), stage.clock.now() + 0.01))
    assert stage.loop.state is State.WAKING  # at once, although the model is still blocked
    assert stage.model.sessions[0].cancelled.is_set()
    gate.release(1_000)
    assert worker.close(5.0)
    assert stage.loop.playback.empty
    assert stage.loop.playback.pull(FRAME_SAMPLES, 0.0).max() == 0


def test_a_model_that_cannot_keep_up_is_a_fault_not_a_stall() -> None:
    class Full(InlineWorker):
        def submit(self, job) -> bool:
            return False

    stage = Stage(Script(), worker=Full(), config=LoopConfig(dwell=Dwell(fault_ms=100)))
    stage.play(wake(), silence(0.3), speech(0.5), silence(1.0))
    assert stage.event("turn_end").data["reason"] == "fault"
    assert stage.loop.state is State.IDLE


def test_replies_must_have_the_rate_of_the_house() -> None:
    model = ScriptedModel()
    model.sample_rate_out = 22_050
    with pytest.raises(ValueError, match="22050"):
        VoiceLoop(model, QuietHome(), MarkedWake(), LoudActivity(), worker=InlineWorker())


def test_the_wake_word_ends_a_ringing_timer() -> None:
    stage = Stage(Script())
    stage.loop.announce(voice(5.0))
    stage.play(silence(0.5), wake(), silence(0.2))
    assert np.abs(stage.sink.played[:8_000]).max() > 0.3
    assert not stage.sink.played[8_160:].any()


def test_a_timer_rings_when_the_turn_is_over() -> None:
    stage = Stage(Script(call=LIGHT_ON, seconds=0.3))
    stage.home.before_execute = lambda: stage.loop.announce(voice(0.5))
    stage.play(wake(), silence(0.3), speech(1.0), silence(2.0))
    assert stage.event("turn_end").data["reason"] == "done"
    rung = stage.sink.played[round(stage.event("turn_end").at_s * 16_000) :]
    assert np.count_nonzero(np.abs(rung) > 0.01) > 0.4 * 16_000


def test_exact_times_of_the_home_join_the_story() -> None:
    class Step:
        kind, turn_id, entity_id, at_s = "sent", 1, "light.kitchen", 1.5

    stage = Stage(Script(call=LIGHT_ON))
    stage.home.before_execute = lambda: stage.loop.home_step(Step())
    stage.play(wake(), silence(0.3), speech(1.0), silence(1.0))
    sent = stage.event("command_sent")
    assert sent.data["entity_id"] == "light.kitchen"
    assert sent.at_s == 1.5
