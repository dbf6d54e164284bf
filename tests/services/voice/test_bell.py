"""Timers and alarms as they are heard: through the real loop, on a virtual clock."""

from __future__ import annotations

import numpy as np
import pytest

from device.sound.clock import VirtualClock
from device.sound.files import FileSource, RecordingSink
from device.sound.frames import FRAME_SAMPLES
from services.home.clock import Clocks
from services.home.desk import Desk
from services.home.functions import answer
from services.language.calls import Call
from services.language.outcome import Outcome
from services.language.replies import replies
from services.voice.bell import Bell
from services.voice.controller import Event
from services.voice.loop import VoiceLoop
from services.voice.worker import InlineWorker
from tests.support.scripted_model import (
    LoudActivity,
    MarkedWake,
    QuietHome,
    Script,
    ScriptedModel,
    voice,
)
from tests.support.time_keeping import BERLIN, MORNING

TICK = 10  # frames


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * 16_000), np.float32)


def wake() -> np.ndarray:
    frame = np.zeros(FRAME_SAMPLES, np.float32)
    frame[0] = MarkedWake.MARK
    return frame


class House:
    """A loop that hears a recording while a desk beside it keeps time on the same clock."""

    def __init__(self, *scripts: Script) -> None:
        self.clock = VirtualClock()
        clocks = Clocks(
            self.clock.now, lambda: MORNING.timestamp() + self.clock.now(), lambda: BERLIN
        )
        self.desk = Desk(lambda chime: self.bell(chime), clocks=clocks)
        self.loop = VoiceLoop(
            ScriptedModel(*scripts),
            QuietHome(),
            MarkedWake(),
            LoudActivity(),
            clock=self.clock,
            worker=InlineWorker(),
            woken=self.desk.hush,
        )
        self.told: list[str] = []
        self.bell = Bell(self.loop, self.say)
        self.sink = RecordingSink()

    def say(self, outcome: Outcome) -> np.ndarray:
        self.told.append(replies(outcome)[0])
        return voice(0.5)

    def ask(self, function: str, /, **arguments: str | int) -> Outcome:
        outcome = answer(Call.of(function, **arguments), self.desk)
        assert outcome is not None
        return outcome

    def play(self, *pieces: np.ndarray) -> None:
        self.sink.start(self.loop.playback.pull)
        frames = FileSource(np.concatenate(pieces), self.clock).frames()
        for n, frame in enumerate(frames):
            if n % TICK == 0:
                self.desk.tick()
            self.loop.step(frame)
            self.sink.tick(frame.t)

    def loud(self, start_s: float, end_s: float) -> bool:
        heard = self.sink.played[int(start_s * 16_000) : int(end_s * 16_000)]
        return bool(np.abs(heard).max() > 0.05)


def test_a_timer_chimes_says_what_it_is_and_chimes_on() -> None:
    house = House()
    house.ask("HassStartTimer", seconds=2, name="egg")
    house.play(silence(9))
    assert not house.loud(0, 1.9)
    assert all(house.loud(at, at + 0.5) for at in (2.0, 3.0, 4.1, 6.1, 8.1))
    assert not house.loud(4.7, 6.0)
    assert house.told == ["the egg timer is over"]


def test_the_wake_word_ends_it_at_once_and_for_good() -> None:
    house = House(Script(seconds=0.3))
    house.ask("HassStartTimer", seconds=1, name="egg")
    house.play(silence(1.3), wake(), silence(12))
    assert house.loud(1.0, 1.3)
    assert not house.loud(1.34, 13)
    assert house.ask("LinnetSnooze").error is None


def test_stop_said_another_way_leaves_no_chime_behind() -> None:
    house = House()
    house.ask("HassStartTimer", seconds=1)
    house.play(silence(3.9))
    house.ask("LinnetStop")
    house.play(silence(6))
    assert not house.loud(4.1, 9)


def test_it_waits_for_the_end_of_a_turn_and_is_told_then() -> None:
    rng = np.random.default_rng(0)
    speech = (0.1 * rng.standard_normal(16_000 * 2)).astype(np.float32)
    house = House(Script(reply="done", seconds=0.5))
    house.ask("HassStartTimer", seconds=2, name="egg")
    house.play(silence(0.5), wake(), silence(0.3), speech, silence(6))
    assert house.told == ["the egg timer is over"]
    assert house.loud(5, 6.5)


def test_a_muted_box_still_rings() -> None:
    house = House()
    house.loop.post(Event.MUTE)
    house.ask("HassStartTimer", seconds=1)
    house.play(silence(3))
    assert house.loud(1.0, 1.5)
    assert house.told == ["the one second timer is over"]


def test_words_that_fail_leave_the_chime(caplog: pytest.LogCaptureFixture) -> None:
    house = House()

    def fail(outcome: Outcome) -> np.ndarray:
        raise RuntimeError("feed the cat")

    house.bell = Bell(house.loop, fail)
    house.ask("LinnetReminder", text="feed the cat", seconds=1)
    house.play(silence(4))
    assert house.loud(1.0, 1.5)
    assert house.loud(3.0, 3.5)
    assert "cat" not in caplog.text
