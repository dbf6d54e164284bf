"""What the settings make of the voice loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from device.sound.frames import FRAME_SAMPLES, SAMPLE_RATE, Frame
from services.language.calls import Call
from services.settings import Audio, Endpoint, Settings
from services.voice.controller import Event
from services.voice.loop import VoiceLoop
from services.voice.setup import loop_config, open_home_and_loop
from tests.support.scripted_model import Script, ScriptedModel


def test_a_box_that_hears_its_own_speaker_is_not_interrupted_by_it() -> None:
    assert not loop_config(Settings()).interrupt_by_speech
    assert loop_config(Settings(audio=Audio(echo_free=True))).interrupt_by_speech


def test_endpointing_follows_the_settings() -> None:
    chosen = Endpoint(silence_ms=250, no_speech_s=7.5, longest_s=20.0)
    endpoint = loop_config(Settings(endpoint=chosen)).ear.endpoint
    assert endpoint.trailing_silence_ms == 250
    assert endpoint.complete_silence_ms == 250
    assert endpoint.no_speech_ms == 7_500
    assert endpoint.max_utterance_ms == 20_000
    patient = loop_config(Settings(endpoint=Endpoint(silence_ms=900))).ear.endpoint
    assert patient.complete_silence_ms < patient.trailing_silence_ms == 900


def test_the_controller_never_cuts_what_the_endpointer_still_allows() -> None:
    config = loop_config(Settings(endpoint=Endpoint(no_speech_s=30.0, longest_s=60.0)))
    assert config.dwell.waking_ms > config.ear.endpoint.no_speech_ms
    assert config.dwell.listening_ms > config.ear.endpoint.max_utterance_ms


def step_until(loop: VoiceLoop, condition: Callable[[], object]) -> None:
    """Let the loop hear silence until something is so."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        quiet = np.zeros(FRAME_SAMPLES, np.float32)
        loop.step(Frame(quiet, loop.clock.now()))
        loop.playback.pull(FRAME_SAMPLES, loop.clock.now())
        time.sleep(0.001)  # the model works on a thread of its own


def loudness(loop: VoiceLoop) -> float:
    loop.playback.enqueue(99, np.ones(SAMPLE_RATE // 10, np.float32))
    return float(loop.playback.pull(SAMPLE_RATE // 10, 0.0)[-1])


def test_the_volume_that_was_asked_for_is_heard_and_outlives_the_box(tmp_path: Path) -> None:
    home, loop = open_home_and_loop(Settings(), ScriptedModel(), folder=tmp_path)
    assert loudness(loop) == pytest.approx(0.8)
    home.execute(Call.of("HassSetVolume", volume_level=40))
    assert loudness(loop) == pytest.approx(0.4)
    loop.worker.close(2)
    _, again = open_home_and_loop(Settings(), ScriptedModel(), folder=tmp_path)
    assert loudness(again) == pytest.approx(0.4)
    again.worker.close(2)


def test_the_wake_word_ends_what_rings_and_what_was_said_can_be_repeated() -> None:
    model = ScriptedModel(Script(reply="the kitchen light is on", seconds=0.1))
    home, loop = open_home_and_loop(Settings(), model)
    home.execute(Call.of("HassStartTimer", seconds=1))
    step_until(loop, lambda: home.desk.tick() or home.desk.ringer.rings)
    for event in (Event.WAKE, Event.SPEECH_START, Event.SPEECH_END):
        loop.post(event)
    step_until(loop, lambda: home.desk.last_reply)
    home.desk.tick()
    assert home.desk.ringer.rings == ()
    repeated = home.execute(Call.of("LinnetRepeat"))
    assert repeated.facts == {"text": "the kitchen light is on"}
    loop.worker.close(2)


def test_a_timer_is_heard_through_a_box_that_was_turned_down_to_nothing() -> None:
    home, loop = open_home_and_loop(Settings(), ScriptedModel())
    home.execute(Call.of("HassSetVolume", volume_level=0))
    assert loudness(loop) == pytest.approx(0.0)
    home.execute(Call.of("HassStartTimer", seconds=1))
    step_until(loop, lambda: home.desk.tick() or home.desk.ringer.rings)
    assert loudness(loop) == pytest.approx(0.4)
    home.execute(Call.of("LinnetStop"))
    home.desk.tick()
    assert loudness(loop) == pytest.approx(0.0)
    loop.worker.close(2)
