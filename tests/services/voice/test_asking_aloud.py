"""The whole way with the built-in model: a relay named like a door, and a yes heard aloud."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from device.sound.clock import VirtualClock
from device.sound.files import FileSource, RecordingSink
from device.sound.frames import Frame
from services.bundles import chosen_bundle
from services.home.executor import Home
from services.home.pending import Pending
from services.home.safety import Safety
from services.home.simulated import SimulatedHome
from services.home.simulated_devices import DEVICES, SimulatedSwitch
from services.language.outcome import Outcome
from services.models import load_model
from services.settings import Settings
from services.voice.families.base import SpeechModel
from services.voice.loop import TimelineEvent, VoiceLoop
from services.voice.worker import InlineWorker
from tests.services.home.conftest import PATIENT_S, until_all_known
from tests.support.mosquitto import mosquitto
from tests.support.scripted_model import LoudActivity, MarkedWake

pytestmark = pytest.mark.skipif(
    not (chosen_bundle(Settings()) / "manifest.json").exists() or not shutil.which("flite"),
    reason="the built-in model and flite are needed",
)
DOOR = SimulatedSwitch("garage_opener", "Garage Door", "Garage", {"state": "OFF"})
OTHERS = tuple(d for d in DEVICES if d.device_id in ("standing_light", "coffee_maker"))


@pytest.fixture(scope="module")
def model() -> SpeechModel:
    return load_model(Settings())


@pytest.fixture
def says(tmp_path: Path) -> Callable[[str], np.ndarray]:
    def speak(text: str) -> np.ndarray:
        path = tmp_path / "said.wav"
        subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", path], check=True)
        pcm, rate = soundfile.read(path, dtype="float32")
        return np.asarray(soxr.resample(pcm, rate, 16_000), np.float32)

    return speak


class Stage:
    """The loop, hearing pieces one after the other, each when the box waits for it."""

    def __init__(self, model: SpeechModel, home: Home) -> None:
        self.clock = VirtualClock()
        self.events: list[TimelineEvent] = []
        self.loop = VoiceLoop(
            model,
            home,
            MarkedWake(),
            LoudActivity(),
            clock=self.clock,
            worker=InlineWorker(),
            emit=self.events.append,
        )

    def hear(self, command: np.ndarray, answer: np.ndarray) -> None:
        wake = np.zeros(160, np.float32)
        wake[0] = MarkedWake.MARK
        quiet = np.zeros(4_800, np.float32)
        waiting = [np.concatenate([wake, quiet, command]), np.concatenate([quiet, answer])]
        sink = RecordingSink()
        sink.start(self.loop.playback.pull)
        sound = np.concatenate([waiting.pop(0), np.zeros(16_000 * 60, np.float32)])
        at = 0
        for frame in FileSource(sound, self.clock).frames():
            asked = bool(self.outcomes) and self.loop.state.value == "waking"
            if asked and waiting:
                piece = waiting.pop(0)
                sound[at : at + len(piece)] = piece
            pcm = sound[at : at + len(frame.pcm)]
            at += len(frame.pcm)
            self.loop.step(Frame(pcm, frame.t))
            sink.tick(frame.t)
            if not waiting and not self.loop.busy:
                return
        raise AssertionError("the conversation does not end")

    @property
    def outcomes(self) -> list[Outcome]:
        found = [event.data["outcome"] for event in self.events if event.kind == "outcome"]
        return [outcome for outcome in found if isinstance(outcome, Outcome)]


@pytest.fixture
def simulated(tmp_path: Path) -> Iterator[tuple[SimulatedHome, Home]]:
    safety = Safety(Pending(answer_s=300.0))  # a busy machine speaks slowly
    with (
        mosquitto(tmp_path) as broker,
        SimulatedHome(broker.address, (*OTHERS, DOOR)) as devices,
        Home(broker.address, timeout_s=PATIENT_S, safety=safety) as home,
    ):
        home.wait_connected(20)
        until_all_known(home, devices)
        yield devices, home


@pytest.mark.parametrize(("answer", "state"), [("yes please", "ON"), ("no thank you", "OFF")])
def test_a_door_moves_after_a_yes_and_stays_after_a_no(
    model: SpeechModel,
    says: Callable[[str], np.ndarray],
    simulated: tuple[SimulatedHome, Home],
    answer: str,
    state: str,
) -> None:
    devices, home = simulated
    stage = Stage(model, home)
    stage.hear(says("turn on the garage door"), says(answer))
    asked, answered = stage.outcomes
    assert asked.error == "needs_confirmation"
    assert asked.facts["turn on"] == "garage door"
    assert answered.error == (None if state == "ON" else "left_alone")
    assert devices.state("garage_opener") == {"state": state}
    assert [e.data["reason"] for e in stage.events if e.kind == "turn_end"] == ["done", "done"]
