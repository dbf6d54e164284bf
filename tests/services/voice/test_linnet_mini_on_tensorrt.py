"""The whole built-in model "on TensorRT": every answer is the one it gives on the processor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from device.bundle import Bundle
from device.engine.factory import EngineFactory
from device.sound.files import read_audio
from device.speech.tokenizer import codes_of
from services.bundles import chosen_bundle
from services.home.simulated_view import simulated_view
from services.language.outcome import DeviceResult, Outcome
from services.settings import Settings
from services.voice.families.base import AudioDelta, Event, FunctionCall, TextDelta
from services.voice.families.linnet_mini import LinnetMini
from tests.support.gpu import FakeBox


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.open(chosen_bundle(Settings()))


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeBox]:
    made = FakeBox(tmp_path_factory.mktemp("box"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def models(bundle: Bundle, box: FakeBox) -> tuple[LinnetMini, LinnetMini]:
    on_gpu = LinnetMini.open(bundle, box.open_part, opinion=False)
    return on_gpu, LinnetMini.open(bundle, EngineFactory("onnx"), opinion=False)


@pytest.fixture(scope="module")
def spoken(bundle: Bundle) -> np.ndarray:
    return read_audio(bundle.file("self_test"), 60.0)


def turn(model: LinnetMini, pcm: np.ndarray) -> list[Event]:
    """Hear, understand, act and answer."""
    session = model.session(simulated_view())
    for start in range(0, len(pcm), 640):
        session.hear(pcm[start : start + 640])
    events = list(session.respond([]))
    calls = [e.call for e in events if isinstance(e, FunctionCall)]
    if calls:
        done = DeviceResult("light.bed_light", "bed light", "confirmed", "on")
        events += session.respond([Outcome(calls[0], (done,))])
    return events


def test_two_turns_give_the_calls_words_and_sound_of_the_processor(
    models: tuple[LinnetMini, LinnetMini], spoken: np.ndarray, box: FakeBox
) -> None:
    for pcm in (spoken, spoken * np.float32(0.5)):
        gpu, cpu = (turn(model, pcm) for model in models)
        words = [e for e in cpu if not isinstance(e, AudioDelta)]
        assert [e for e in gpu if not isinstance(e, AudioDelta)] == words
        assert any(isinstance(e, TextDelta) for e in words)
        sounds = [[e.pcm for e in got if isinstance(e, AudioDelta)] for got in (gpu, cpu)]
        assert [len(pcm) for pcm in sounds[0]] == [len(pcm) for pcm in sounds[1]]
        ours, theirs = map(np.concatenate, sounds)
        assert np.allclose(ours, theirs, atol=1e-3)
    assert box.cuda.calls.count("launch") > 50
    assert len(set(box.cuda.pushes)) == 1


def test_the_self_test_utterance_gives_the_tokens_of_the_manifest(
    models: tuple[LinnetMini, LinnetMini], bundle: Bundle, spoken: np.ndarray
) -> None:
    assert bundle.manifest.self_test is not None
    assert tuple(codes_of(models[0].tokenizer, spoken)) == bundle.manifest.self_test.tokens
