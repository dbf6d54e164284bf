"""Flow and vocoder as graphs: what ONNX Runtime makes of them is what torch makes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from device.bundle import Bundle
from device.engine.onnx_cpu import OnnxCpuEngine
from device.speech.glm_frames import BLOCK, FRAMES, frames_of, nearest
from device.speech.glm_vocoder import GlmVocoder
from device.speech.harmonic_source import HARMONICS, HOP
from model_export.families.glm_4_voice.flow import Flow
from model_export.families.glm_4_voice.hift import Hift
from model_export.families.glm_4_voice.random_bundle import SIZES
from tests.support.glm_bundle import tiny_glm, tiny_networks

FLOW = SIZES["tiny"].flow
PARTS = ("flow_encoder", "flow_regulator", "flow_estimator", "hift_pitch", "hift_decode")
UNFIT = {"STFT", "DFT", "RandomNormalLike", "RandomUniformLike", "CumSum", "Loop", "If", "NonZero"}
UNFIT |= {"GroupNormalization", "InstanceNormalization", "ScatterND", "ScatterElements"}
TOLERANCE = 1e-5  # float32, absolute
PITCH = 1e-4  # Hz of up to 60: the weights are large, so that some frames are voiced


@pytest.fixture(scope="module")
def flow() -> Flow:
    return tiny_networks().flow


@pytest.fixture(scope="module")
def hift() -> Hift:
    return tiny_networks().hift


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return tiny_glm()  # which was packed, so its graphs are free of lint


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("part", PARTS)
def test_no_operator_is_one_that_accelerators_refuse_or_misread(bundle: Bundle, part: str) -> None:
    graph = onnx.load(bundle.part(part).path).graph
    assert not UNFIT & {node.op_type for node in graph.node}


def block_feeds(tokens: np.ndarray, past: int) -> dict[str, np.ndarray]:
    return {
        "tokens": tokens,
        "position_ids": np.arange(past, past + len(tokens), dtype=np.int64),
        "mask": np.zeros((len(tokens), past + len(tokens)), np.float32),
    }


@pytest.mark.parametrize("count", [3, 10, 57, 130])
def test_the_encoder_stepped_in_blocks_is_the_whole_in_torch(
    flow: Flow, bundle: Bundle, count: int
) -> None:
    engine = OnnxCpuEngine(bundle.part("flow_encoder"))
    tokens = np.random.default_rng(count).integers(0, FLOW.codes, count)
    state, parts = engine.new_state(FLOW.encoder.positions), []
    for at in range(0, count, BLOCK):
        feeds = block_feeds(tokens[at : at + BLOCK], state.cache.length)
        parts.append(engine.run(feeds, state)["h"])
    with torch.no_grad():
        wanted, _ = flow.encode(torch.from_numpy(tokens)[None], flow.start())
    np.testing.assert_allclose(np.concatenate(parts), wanted[0].numpy(), atol=TOLERANCE)


def test_a_cache_padded_to_a_bucket_is_hidden_by_the_mask(bundle: Bundle) -> None:
    engine = OnnxCpuEngine(bundle.part("flow_encoder"))
    tokens = np.random.default_rng(1).integers(0, FLOW.codes, 30)
    state = engine.new_state(FLOW.encoder.positions)
    engine.run(block_feeds(tokens[:20], 0), state)
    feeds = block_feeds(tokens[20:], 20)
    plain = engine.run(feeds | state.feeds())["h"]
    padded = {
        name: np.concatenate([rows, np.full((108, *rows.shape[1:]), 5.0, np.float32)])
        for name, rows in state.feeds().items()
    }
    feeds["mask"] = np.insert(feeds["mask"], [20] * 108, np.float32(-1e4), axis=1)
    np.testing.assert_allclose(engine.run(feeds | padded)["h"], plain, atol=TOLERANCE)


@pytest.mark.parametrize("tokens", [1, 2, 10, 35, 64])
def test_the_regulator_at_any_length(flow: Flow, bundle: Bundle, tokens: int) -> None:
    h, voice = normal(tokens, 80), normal(1, 192)
    out = OnnxCpuEngine(bundle.part("flow_regulator")).run(
        {"h": h, "nearest": nearest(tokens), "voice": voice}
    )
    with torch.no_grad():
        index = torch.from_numpy(nearest(tokens))
        mu = flow.length_regulator(torch.from_numpy(h)[None], index)
        spk = flow.speaker(torch.from_numpy(voice))
    assert mu.shape[2] == frames_of(tokens)
    np.testing.assert_allclose(out["mu"], mu.numpy(), atol=TOLERANCE)
    np.testing.assert_allclose(out["spk"], spk.numpy(), atol=TOLERANCE)


@pytest.mark.parametrize("frames", [6, 34, 68, 103, FRAMES])
def test_the_velocity_at_odd_and_even_lengths(flow: Flow, bundle: Bundle, frames: int) -> None:
    feeds = {name: normal(2, 80, frames, seed=n) for n, name in enumerate(("x", "mu", "cond"))}
    feeds |= {"t": np.array([0.3, 0.3], np.float32), "spk": normal(2, 80, seed=5)}
    got = OnnxCpuEngine(bundle.part("flow_estimator")).run(feeds)["v"]
    with torch.no_grad():
        wanted = flow.decoder.estimator(*(torch.from_numpy(array) for array in feeds.values()))
    np.testing.assert_allclose(got, wanted.numpy(), atol=TOLERANCE)


@pytest.mark.parametrize("frames", [3, 34, 107])
def test_pitch_and_sound_at_any_length(hift: Hift, bundle: Bundle, frames: int) -> None:
    mel, waves = normal(1, 80, frames), 0.1 * normal(frames, HOP, HARMONICS, seed=1)
    pitch = OnnxCpuEngine(bundle.part("hift_pitch")).run({"mel": mel})["pitch"]
    wave = OnnxCpuEngine(bundle.part("hift_decode")).run({"mel": mel, "waves": waves})["wave"]
    with torch.no_grad():
        wanted = hift.decode(torch.from_numpy(mel), hift.mix(torch.from_numpy(waves)))
        wanted_pitch = hift.pitch(torch.from_numpy(mel))
    np.testing.assert_allclose(pitch, wanted_pitch.numpy(), atol=PITCH)
    np.testing.assert_allclose(wave.reshape(1, -1), wanted.numpy(), atol=TOLERANCE)


def test_the_graphs_in_pieces_sound_as_at_once(bundle: Bundle) -> None:
    pitch, decode = (OnnxCpuEngine(bundle.part(p)) for p in ("hift_pitch", "hift_decode"))

    def vocoder() -> GlmVocoder:
        return GlmVocoder(
            lambda mel: pitch.run({"mel": mel[None]})["pitch"][0],
            lambda mel, waves: decode.run({"mel": mel[None], "waves": waves})["wave"],
            seed=2,
        )

    mel, stream = normal(80, 90), vocoder()
    parts = [stream.step(mel[:, at : at + 30], last=at == 60) for at in range(0, 90, 30)]
    np.testing.assert_allclose(
        np.concatenate(parts), vocoder().step(mel, last=True), atol=TOLERANCE
    )
