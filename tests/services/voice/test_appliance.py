"""The box as its presence sees it: real loop, real queue, real timers, on a virtual clock."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from device.sound.clock import VirtualClock
from device.sound.files import FileSource, RecordingSink
from device.sound.frames import Frame
from services.home.presence.commands import Chime, Install, SetLevel, SetSwitch
from services.home.presence.entities import Update
from services.home.presence.kept import Kept
from services.home.volume import Volume
from services.voice.appliance import RunningAppliance
from services.voice.controller import Event, State
from services.voice.loop import VoiceLoop
from services.voice.microphone import Microphone
from services.voice.worker import InlineWorker
from tests.support.scripted_model import LoudActivity, MarkedWake, QuietHome, ScriptedModel

NOON = datetime(2026, 3, 21, 12, 0, tzinfo=timezone.utc)


class TunedWake(MarkedWake):
    def __init__(self) -> None:
        super().__init__()
        self.sensitivity = -1.0

    def set_sensitivity(self, sensitivity: float) -> None:
        self.sensitivity = sensitivity


class Countdowns:
    """Timers as ends in seconds; the last started is the first cancelled."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._ends: list[float] = []

    def start(self, duration_s: float) -> None:
        self._ends.append(self._clock.now() + duration_s)

    def cancel(self) -> None:
        self._ends.pop()

    def running(self) -> tuple[float, ...]:
        return tuple(sorted(self._ends))

    def remaining_s(self, end: float) -> int:
        return math.ceil(end - self._clock.now())


class Stage:
    """A box whose room is noisy as long as its microphone is open."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.wake = TunedWake()
        self.kept = Kept(folder, 50)
        self.loop = VoiceLoop(
            ScriptedModel(), QuietHome(), self.wake, LoudActivity(),
            clock=self.clock, worker=InlineWorker(),
        )  # fmt: skip
        noise = np.full(160, 0.5, np.float32)
        self.microphone = Microphone(
            lambda: FileSource(np.tile(noise, 3000), self.clock), self.clock,
            muted=self.kept.wishes.mute,
        )  # fmt: skip
        self.timers = Countdowns(self.clock)
        self.volume = Volume(folder=folder, apply=self.loop.playback.set_volume)
        self.installs: list[str] = []
        self.appliance = RunningAppliance(
            self.loop, self.microphone, self.wake, self.timers, self.volume, self.kept,
            update=lambda: Update("1"),
            install=lambda: self.installs.append("newest"),
            wall=lambda: NOON + timedelta(seconds=self.clock.now()),
        )  # fmt: skip
        self._frames = self.microphone.frames()
        self.sink = RecordingSink()
        self.sink.start(self.loop.playback.pull)

    def pass_time(self, seconds: float = 0.05) -> list[Frame]:
        frames = [next(self._frames) for _ in range(round(seconds * 100))]
        for frame in frames:
            self.loop.step(frame)
            self.sink.tick(frame.t)
        return frames

    def settle(self) -> None:
        """Presence looks, the box goes on, presence looks again."""
        self.appliance.seen()
        self.pass_time()


def test_muting_closes_the_microphone_and_the_box_says_so(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.pass_time()
    assert (stage.appliance.seen().muted, stage.appliance.seen().state) == (False, "idle")
    stage.appliance.obey(SetSwitch("mute", True))
    assert not stage.appliance.seen().muted, "the microphone is still open"
    stage.settle()
    assert not any(frame.pcm.any() for frame in stage.pass_time())
    assert (stage.appliance.seen().muted, stage.appliance.seen().state) == (True, "muted")
    stage.appliance.obey(SetSwitch("mute", False))
    stage.settle()
    assert (stage.appliance.seen().muted, stage.appliance.seen().state) == (False, "idle")
    assert any(frame.pcm.any() for frame in stage.pass_time())


def test_a_box_that_was_muted_starts_muted(tmp_path: Path) -> None:
    first = Stage(tmp_path)
    first.appliance.obey(SetSwitch("mute", True))
    second = Stage(tmp_path)
    assert second.appliance.seen().muted
    assert not any(frame.pcm.any() for frame in second.pass_time())
    assert second.loop.state is State.MUTED


def test_muting_during_an_update_holds_after_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.loop.post(Event.UPDATE_BEGIN)
    stage.settle()
    stage.appliance.obey(SetSwitch("mute", True))
    stage.settle()
    assert (stage.appliance.seen().muted, stage.appliance.seen().state) == (True, "updating")
    stage.loop.post(Event.UPDATE_END)
    stage.settle()
    stage.settle()
    assert stage.appliance.seen().state == "muted"


def test_levels_take_hold_at_once_and_after_a_restart(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    assert (stage.appliance.seen().volume, stage.wake.sensitivity) == (80, 0.5)
    stage.appliance.obey(SetLevel("volume", 30))
    stage.appliance.obey(SetLevel("sensitivity", 70))
    assert (stage.appliance.seen().volume, stage.appliance.seen().sensitivity) == (30, 70)
    stage.loop.announce(np.ones(1600, np.float32))
    stage.pass_time(0.1)
    assert stage.sink.played[800:1400].max() == pytest.approx(0.3), "after the fade"
    again = Stage(tmp_path)
    assert (again.appliance.seen().volume, again.wake.sensitivity) == (30, 0.7)


def heard(stage: Stage) -> bool:
    before = len(stage.sink.played)
    stage.pass_time(1.0)
    return bool(np.abs(stage.sink.played[before:]).max() > 0.01)


def test_do_not_disturb_silences_what_nobody_in_the_room_asked_for(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.appliance.obey(Chime())
    assert heard(stage)
    stage.appliance.obey(SetSwitch("do_not_disturb", True))
    stage.appliance.obey(Chime())
    assert not heard(stage)
    assert not stage.appliance.announce(np.ones(160, np.float32))
    # A timer was asked for: it rings.
    stage.loop.announce(np.full(1600, 0.5, np.float32))
    assert heard(stage)
    assert Stage(tmp_path).appliance.seen().do_not_disturb


def test_who_wants_the_newest_model_is_heard(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.appliance.obey(Install())
    assert stage.installs == ["newest"]


def test_timers_are_counted_and_the_next_has_one_steady_time(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    assert (stage.appliance.seen().timers, stage.appliance.seen().next_timer) == (0, None)
    stage.timers.start(600)
    stage.timers.start(60)
    told = set()
    for _ in range(30):
        stage.pass_time(0.37)
        told.add(stage.appliance.seen().next_timer)
    assert stage.appliance.seen().timers == 2
    assert len(told) == 1, "a time that is told anew each second is no time"
    assert (told.pop() or "").startswith("2026-03-21T12:01:0")
    stage.timers.cancel()
    assert stage.appliance.seen().timers == 1
    assert (stage.appliance.seen().next_timer or "").startswith("2026-03-21T12:10:0")


def test_the_update_is_what_the_port_says(tmp_path: Path) -> None:
    assert Stage(tmp_path).appliance.seen().update == Update("1")
