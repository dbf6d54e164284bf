"""A yes is heard as one, and nothing else is."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from services.bundles import chosen_bundle
from services.home.safety import NOBODY
from services.language.alphabet import BLANK, SIZE, encode
from services.language.outcome import Outcome
from services.language.yes_no import NO, YES, says_yes
from services.models import load_model
from services.settings import Settings
from services.voice.answers import best_answer
from services.voice.families.base import Answering, AudioDelta, TextDelta, Transcript
from services.voice.families.cascade import Cascade
from tests.support.homes import two_lights

needs_model = pytest.mark.skipif(
    not (chosen_bundle(Settings()) / "manifest.json").exists() or not shutil.which("flite"),
    reason="the built-in model and flite are needed",
)


def letters(text: str, sure: float = 0.9) -> np.ndarray:
    """Log probabilities of somebody who spells a text, two frames a letter, blanks between."""
    symbols = [BLANK]
    for symbol in encode(text).tolist():
        symbols += [symbol, symbol, BLANK]
    rows = np.full((len(symbols), SIZE), (1 - sure) / (SIZE - 1))
    rows[np.arange(len(symbols)), symbols] = sure
    return np.log(rows).astype(np.float32)


@pytest.mark.parametrize("text", [*YES, *NO])
def test_every_known_answer_is_read_as_itself(text: str) -> None:
    assert best_answer(letters(text)) == text


@pytest.mark.parametrize("text", ["turn on the kitchen light", "left", "guess", "yesterday"])
def test_other_words_are_no_answer(text: str) -> None:
    heard = best_answer(letters(text))
    assert heard is None or not says_yes(heard)


def test_silence_and_noise_are_no_answer() -> None:
    assert best_answer(np.zeros((0, SIZE), np.float32)) is None
    noise = np.random.default_rng(1).normal(0, 3, (100, SIZE))
    noise -= np.log(np.exp(noise).sum(axis=1, keepdims=True))
    assert best_answer(noise.astype(np.float32)) is None


@pytest.fixture
def says(tmp_path: Path) -> Callable[[str], np.ndarray]:
    def speak(text: str) -> np.ndarray:
        path = tmp_path / "said.wav"
        subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", path], check=True)
        pcm, rate = soundfile.read(path, dtype="float32")
        rest = np.random.default_rng(0).normal(0, 3e-4, 6_400).astype(np.float32)
        return np.concatenate([rest, soxr.resample(pcm, rate, 16_000), rest])

    return speak


@pytest.fixture(scope="module")
def model() -> Answering:
    opened = load_model(Settings())
    assert isinstance(opened, Answering)
    return opened


def test_the_cascade_does_not_pretend_to_hear_a_yes() -> None:
    assert not issubclass(Cascade, Answering)


@needs_model
@pytest.mark.parametrize(
    ("words", "agreed"),
    [("yes please", True), ("confirm", True), ("no", False), ("don't do it", False),
     ("turn on the kitchen lights", False)],
)  # fmt: skip
def test_the_built_in_model_hears_an_answer(
    model: Answering, says: Callable[[str], np.ndarray], words: str, agreed: bool
) -> None:
    session = model.answer_session(two_lights())
    sound = says(words)
    for start in range(0, len(sound), 640):
        session.hear(sound[start : start + 640])
    told = [event for event in session.respond([]) if isinstance(event, Transcript)]
    assert [says_yes(event.text) for event in told] == [agreed]


@needs_model
def test_what_became_of_the_answer_is_spoken(
    model: Answering, says: Callable[[str], np.ndarray]
) -> None:
    session = model.answer_session(two_lights())
    session.hear(says("no"))
    list(session.respond([]))
    events = list(session.respond([Outcome(NOBODY, error="left_alone")]))
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert text.strip() in ("okay left as it is", "okay i left it as it is")
    assert sum(len(event.pcm) for event in events if isinstance(event, AudioDelta)) > 8_000
