"""What TensorRT plans for is what the session feeds: less would fail, more would cost memory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from device.bundle import Bundle
from device.engine.contract import Array, Engine
from device.engine.factory import EngineFactory
from device.engine.states import EngineState
from device.speech.glm_frames import BLOCK, FRAMES, REPLY, TOKENS, frames_of
from device.speech.glm_speaking import MOST, GlmSpeaking
from device.speech.glm_tokenizer import GlmTokenizer
from device.speech.language_model import LanguageModel
from model_export.families.glm_4_voice.export import PARTS, RECIPES
from services.voice.families.glm_4_voice import Glm4Voice
from tests.support.glm_bundle import tiny_glm


class Measured:
    """An engine that remembers the least and greatest size of every dim it was fed."""

    def __init__(self, engine: Engine) -> None:
        self.spec, self.backend, self.new_state = engine.spec, engine.backend, engine.new_state
        self.warm_up, self.close = engine.warm_up, engine.close
        self._engine = engine
        self.seen: dict[str, tuple[int, int]] = {}

    def run(self, feeds: Mapping[str, Array], state: EngineState | None = None) -> dict[str, Array]:
        given = {**feeds, **(state.feeds() if state is not None else {})}
        for tensor in self.spec.graph_inputs:
            for dim, size in zip(tensor.dims, given[tensor.name].shape, strict=True):
                if dim in self.spec.profile:
                    least, greatest = self.seen.get(str(dim), (size, size))
                    self.seen[str(dim)] = (min(least, size), max(greatest, size))
        return self._engine.run(feeds, state)


class Measuring:
    """Makes such engines and keeps them."""

    def __init__(self) -> None:
        self.engines: dict[str, Measured] = {}

    def __call__(self, bundle: Bundle, part: str) -> Measured:
        return self.engines.setdefault(part, Measured(EngineFactory("onnx")(bundle, part)))


@pytest.fixture(scope="module")
def fed() -> dict[str, Measured]:
    """Every part after the longest and the shortest that a session may ask of it."""
    measuring = Measuring()
    bundle = tiny_glm()
    model = Glm4Voice.open(bundle, measuring, calling=False)
    for sizes in ([1], [1] * 12, [BLOCK] * 3 + [MOST] * 6 + [REPLY - 3 * BLOCK - 6 * MOST], [MOST]):
        speaking = GlmSpeaking(model.voice, seed=1)
        for at, size in enumerate(sizes, 1):
            speaking.say([1] * size, last=at == len(sizes))
    speaking = GlmSpeaking(model.voice, seed=1)
    for size in (MOST, MOST):
        speaking.say([1] * size, last=speaking.codes > 0)
    noise = np.random.default_rng(0).standard_normal(31 * 16_000).astype(np.float32)
    for pcm in (noise, noise[:1]):
        tokenizer = GlmTokenizer(measuring(bundle, "tokenizer"))
        tokenizer.hear(pcm)
        tokenizer.finish()
    max_len = int(bundle.manifest.config["lm_max_len"])
    lm = LanguageModel(measuring(bundle, "lm"), max_len)
    logits = lm.read([1] * (max_len - 20))
    lm.score([1] * model.schedule.text, logits)
    lm.read([1] * 19)
    lm.read([1])
    return measuring.engines


def test_the_session_feeds_nothing_beyond_the_profiles(fed: dict[str, Measured]) -> None:
    assert fed.keys() == set(PARTS)
    for name, engine in fed.items():
        profile = engine.spec.profile
        assert engine.seen.keys() == profile.keys(), name
        for dim, (least, greatest) in engine.seen.items():
            assert profile[dim][0] <= least, (name, dim)
            assert greatest <= profile[dim][2], (name, dim)


def test_the_greatest_of_a_profile_is_what_is_fed_at_most(fed: dict[str, Measured]) -> None:
    for name, engine in fed.items():
        unfed = {
            dim: (engine.seen[dim][1], sizes[2])
            for dim, sizes in engine.spec.profile.items()
            if engine.seen[dim][1] != sizes[2] and (name, dim) != ("lm", "R")
        }
        assert not unfed, name


def test_an_exported_bundle_has_the_profiles_of_the_session() -> None:
    greatest = {
        (part, dim): sizes[2] for part, r in RECIPES.items() for dim, sizes in r.profile.items()
    }
    assert greatest[("flow_estimator", "F")] == greatest[("flow_regulator", "F")] == FRAMES
    assert greatest[("flow_regulator", "N")] == TOKENS
    assert greatest[("flow_encoder", "T")] == BLOCK
    assert REPLY - BLOCK <= greatest[("flow_encoder", "P")] < REPLY
    assert greatest[("hift_decode", "T")] < 2 * frames_of(TOKENS)
