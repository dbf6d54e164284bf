"""The shipped model: recorded commands become exact calls, replies are made of true words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.bundle import Bundle
from device.engine.factory import EngineFactory
from device.engine.onnx_cpu import OnnxCpuEngine
from device.sound.files import read_audio
from device.speech.tokenizer import codes_of
from services.bundles import chosen_bundle
from services.home.simulated_view import simulated_view
from services.language.calls import Call
from services.language.outcome import DeviceResult, Outcome
from services.language.replies import NOT_UNDERSTOOD, replies
from services.settings import Settings
from services.voice.families.base import (
    AudioDelta,
    Event,
    FunctionCall,
    TextDelta,
    Transcript,
    TurnEnd,
)
from services.voice.families.linnet_mini import LinnetMini, LinnetMiniSession

COMMAND = Call.of("HassTurnOn", name="bed light")
DONE = Outcome(COMMAND, (DeviceResult("light.bed_light", "bed light", "confirmed", "on"),))


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.open(chosen_bundle(Settings()))


@pytest.fixture(scope="module")
def model(bundle: Bundle) -> LinnetMini:
    return LinnetMini.open(bundle, EngineFactory("onnx"), opinion=False)


@pytest.fixture(scope="module")
def spoken(bundle: Bundle) -> np.ndarray:
    """The self-test utterance: any speech does where the words do not matter."""
    return read_audio(bundle.file("self_test"), 60.0)


def session(model: LinnetMini) -> LinnetMiniSession:
    return model.session(simulated_view())


def text_of(events: list[Event]) -> str:
    return "".join(e.text for e in events if isinstance(e, TextDelta))


def sound_of(events: list[Event]) -> np.ndarray:
    return np.concatenate([e.pcm for e in events if isinstance(e, AudioDelta)])


def test_the_self_test_utterance_gives_the_tokens_of_the_manifest(
    bundle: Bundle, spoken: np.ndarray
) -> None:
    assert bundle.manifest.self_test is not None
    codes = np.array(codes_of(OnnxCpuEngine(bundle.part("tokenizer")), spoken))
    wanted = np.array(bundle.manifest.self_test.tokens)
    # Another processor may round an int8 sum the other way now and then.
    assert (codes == wanted).mean() >= 0.95


@settings(max_examples=8)
@given(sizes=st.lists(st.integers(1, 3_000), min_size=1, max_size=40))
def test_how_the_sound_is_cut_does_not_matter(
    model: LinnetMini, spoken: np.ndarray, sizes: list[int]
) -> None:
    whole, pieces = session(model), session(model)
    whole.hear(spoken)
    at = 0
    for size in [*sizes, len(spoken)]:
        pieces.hear(spoken[at : at + size])
        at += size
    assert list(whole.respond([]))[:2] == list(pieces.respond([]))[:2]


def test_a_reply_is_one_of_the_true_ones_and_can_be_heard(
    model: LinnetMini, spoken: np.ndarray
) -> None:
    turn = session(model)
    turn.hear(spoken)
    list(turn.respond([]))
    events = list(turn.respond([DONE]))
    assert text_of(events) in replies(DONE)
    assert events[-1] == TurnEnd("done")
    sound = sound_of(events)
    assert 0.5 < len(sound) / model.sample_rate_out < 12
    assert np.sqrt((sound**2).mean()) > 0.01
    assert np.abs(sound).max() <= 1.0


def test_silence_is_answered_by_saying_so_and_calls_nothing(model: LinnetMini) -> None:
    turn = session(model)
    turn.hear(np.zeros(24_000, np.float32))
    events = list(turn.respond([]))
    assert not any(isinstance(e, FunctionCall) for e in events)
    assert isinstance(events[0], Transcript)
    assert text_of(events) in NOT_UNDERSTOOD


def test_a_cancelled_reply_stops_at_once(model: LinnetMini, spoken: np.ndarray) -> None:
    turn = session(model)
    turn.hear(spoken)
    list(turn.respond([]))
    events: Iterator[Event] = turn.respond([DONE])
    first = next(e for e in events if isinstance(e, AudioDelta))
    turn.cancel()
    assert len(first.pcm) > 0
    assert list(events) == [TurnEnd("cancelled")]


def test_the_history_holds_only_what_was_heard(model: LinnetMini, spoken: np.ndarray) -> None:
    turn = session(model)
    turn.hear(spoken)
    list(turn.respond([]))
    list(turn.respond([DONE]))
    everything = turn.history_length
    turn.commit(3 * 1_280)
    assert turn.history_length < everything
    cut = turn.history_length
    turn.commit(10_000_000)  # more than there was cuts nothing
    assert turn.history_length == cut


def test_a_bundle_with_broken_numbers_is_refused(bundle: Bundle) -> None:
    head = bundle.manifest.model_copy(update={"config": {"codes": "many"}})
    broken = Bundle(Path(bundle.root), head, bundle.digest)
    with pytest.raises(ValueError, match=r"config\.codes must be a whole number, not 'many'"):
        LinnetMini.open(broken, EngineFactory("onnx"), opinion=False)
