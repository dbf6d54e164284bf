"""The real wake word and the real speech detector on synthetic voices, with a scripted model."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from device.sound.clock import VirtualClock
from device.sound.files import FileSource, RecordingSink, read_audio
from device.speech_activity import GatedActivity, last_voiced
from device.wake.micro_wakeword import MicroWakeWordDetector
from services.language.calls import Call
from services.voice.loop import TimelineEvent, VoiceLoop
from services.voice.worker import InlineWorker
from tests.support.scripted_model import QuietHome, Script, ScriptedModel

pytestmark = pytest.mark.skipif(shutil.which("flite") is None, reason="needs flite")

LIGHT_ON = Call.of("HassTurnOn", name="kitchen light")


def say(text: str, folder: Path) -> np.ndarray:
    path = folder / "said.wav"
    subprocess.run(["flite", "-voice", "rms", "-t", text, "-o", str(path)], check=True, timeout=30)
    pcm = read_audio(path)
    return pcm[: last_voiced(pcm)] * (0.4 / np.abs(pcm).max())


def gap(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * 16_000), np.float32)


def play(
    pieces: list[np.ndarray], *scripts: Script, background: float = 1e-4
) -> tuple[list[TimelineEvent], ScriptedModel, QuietHome]:
    clock, events = VirtualClock(), []
    model, home = ScriptedModel(*scripts), QuietHome()
    loop = VoiceLoop(
        model,
        home,
        MicroWakeWordDetector("okay nabu", 0.5),
        GatedActivity(),
        clock=clock,
        worker=InlineWorker(),
        emit=events.append,
    )
    pcm = np.concatenate(pieces)
    pcm = pcm + background * np.random.default_rng(0).standard_normal(len(pcm)).astype("f4")
    loop.run(FileSource(pcm.astype("f4"), clock, lambda: loop.busy), RecordingSink())
    return events, model, home


@pytest.mark.parametrize("pause", [0.15, 0.4, 1.5])
@pytest.mark.parametrize("background", [1e-4, 3e-3])
def test_wake_word_then_command(pause: float, background: float, tmp_path: Path) -> None:
    wake, command = say("okay nabu", tmp_path), say("turn on the kitchen light", tmp_path)
    before = [gap(1.0), wake, gap(pause), command]
    end = sum(map(len, before)) / 16_000
    events, model, home = play(
        [*before, gap(1.0)], Script(call=LIGHT_ON, seconds=0.3), background=background
    )
    at = {event.kind: event for event in events}
    assert at["turn_end"].data["reason"] == "done"
    assert [call for _, call in home.executed] == [LIGHT_ON]
    # the end of speech is told from the sound, to 60 ms
    assert at["speech_end"].at_s == pytest.approx(end, abs=0.06)
    assert at["endpoint"].at_s - end < 0.65
    assert at["first_audio"].at_s - end < 0.7
    # the whole command reached the model, and little of the wake word did
    heard = model.sessions[0].heard_pcm
    start = len(heard) / 16_000 - (at["endpoint"].at_s - (end - len(command) / 16_000))
    assert start > -0.001
    assert start < pause + 0.3


def test_a_silent_wake_ends_without_a_command(tmp_path: Path) -> None:
    events, _, _ = play([gap(1.0), say("okay nabu", tmp_path), gap(1.0)], Script())
    assert [event.kind for event in events] == ["wake", "turn_end"]
    assert events[-1].data["reason"] == "no_speech"


def test_the_ears_take_a_small_part_of_one_core(tmp_path: Path) -> None:
    pieces = [gap(1.0), say("okay nabu", tmp_path), gap(0.3), say("what time is it", tmp_path)]
    seconds = (sum(map(len, pieces)) + 16_000) / 16_000
    began = time.thread_time()
    play([*pieces, gap(1.0)], Script(seconds=0.1))
    assert (time.thread_time() - began) / seconds < 0.4
