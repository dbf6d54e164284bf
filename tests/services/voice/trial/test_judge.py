"""The judge of speech in its own process, and what becomes of one that fails."""

from __future__ import annotations

import numpy as np
import pytest

from device.sound.files import read_audio
from services.demo.script import RECORDINGS
from services.voice.trial import judge


@pytest.mark.skipif(not judge.installed(), reason="needs pocketsphinx (extra: recogniser)")
def test_words_are_counted_and_noise_makes_errors() -> None:
    said = read_audio(RECORDINGS / "bed-light.wav")[28_000:54_400]  # after the wake word
    found = judge.word_errors(said, "turn on the bed light")
    assert found is not None
    errors, words = found
    assert words == 5
    assert errors <= 3
    noise = np.random.default_rng(0).standard_normal(48_000).astype(np.float32) * 0.1
    found = judge.word_errors(noise, "turn on the bed light")
    assert found is not None
    assert found[0] >= 4


def test_a_judge_that_cannot_be_asked_says_nothing_against_the_reply() -> None:
    silence = np.zeros(1600, np.float32)
    assert judge.word_errors(silence, "two words", "/nowhere/python") is None
