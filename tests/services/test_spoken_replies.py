"""The model's voice without its ears."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from device.sound.files import read_audio
from services.language.calls import Call
from services.language.homeview import HomeView
from services.language.outcome import DeviceResult, Outcome
from services.settings import Settings
from services.spoken_replies import mouth, speak
from tests.support.told_model import ToldModel

DONE = Outcome(
    Call.of("HassTurnOn", name="bed light"),
    (DeviceResult("light.bed_light", "bed light", "confirmed"),),
)


def test_an_outcome_becomes_words_and_sound() -> None:
    reply = speak(ToldModel("nothing"), HomeView(), DONE)
    assert reply.text == "the bed light is on"
    assert reply.pcm.dtype == np.float32
    assert 8_000 < len(reply.pcm) < 48_000
    assert np.abs(reply.pcm).max() > 0.05


def test_replies_are_kept_as_numbered_files(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    sound = (0.5 * np.sin(np.arange(1_600) * 0.1)).astype(np.float32)
    with mouth(Settings(), folder) as files:
        assert files.say(sound) == str(folder / "reply-1.wav")
        assert files.say(sound[:800]) == str(folder / "reply-2.wav")
    assert np.allclose(read_audio(folder / "reply-1.wav"), sound, atol=1e-4)
    assert len(read_audio(folder / "reply-2.wav")) == 800
