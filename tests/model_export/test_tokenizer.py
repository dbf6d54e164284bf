"""Streaming is a state: blocks through the step give what the whole utterance gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from device.bundle import Bundle
from device.engine.onnx_cpu import OnnxCpuEngine
from device.sound.mel import log_mel
from device.speech.tokenizer import SpeechTokenizer
from model_export.families.linnet_mini.tokenizer import Tokenizer, TokenizerConfig
from model_export.families.linnet_mini.tokenizer_graph import export_tokenizer
from model_export.pack import PartSource, pack
from tests.support.bundle_head import head

TOLERANCE = 2e-4  # log probabilities, float32 sums in another order


@pytest.fixture(scope="module")
def model() -> Tokenizer:
    torch.manual_seed(4)
    return Tokenizer(TokenizerConfig(ffn=192, pre_blocks=2, post_blocks=1)).eval()


@pytest.fixture(scope="module")
def bundle(model: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("tokenizer")
    export_tokenizer(model, folder / "tokenizer.onnx")
    source = PartSource(folder / "tokenizer.onnx", "fp32")
    return pack(folder / "bundle", head(), {"tokenizer": source}, {})


def speech(seconds: float, seed: int) -> np.ndarray:
    """Something with structure: a few gliding tones in noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * 16_000)) / 16_000
    tones = sum(np.sin(2 * np.pi * f * t * (1 + 0.1 * t)) for f in rng.uniform(100, 3000, 5))
    return (0.1 * tones + 0.02 * rng.standard_normal(len(t))).astype(np.float32)


@pytest.mark.parametrize(("seconds", "seed"), [(1.0, 0), (4.7, 1), (6.0, 2)])
def test_streamed_through_the_engine_equals_the_whole_utterance_in_torch(
    model: Tokenizer, bundle: Bundle, seconds: float, seed: int
) -> None:
    pcm = speech(seconds, seed)
    mel = log_mel(pcm)
    whole = np.pad(mel, ((0, -len(mel) % 32), (0, 0)), constant_values=np.log(1e-5))
    with torch.no_grad():
        wanted = model(torch.from_numpy(whole)[None])

    stream = SpeechTokenizer(OnnxCpuEngine(bundle.part("tokenizer")))
    rng, heard, at = np.random.default_rng(seed), [], 0
    while at < len(pcm):
        step = int(rng.integers(1, 4000))
        heard += stream.hear(pcm[at : at + step])
        at += step
    heard += stream.finish()

    letters = np.concatenate([h.letters for h in heard])
    codes = np.concatenate([h.codes for h in heard])
    assert len(codes) == -(-len(mel) // 8)
    np.testing.assert_allclose(letters, wanted.ctc[0, : len(letters)].numpy(), atol=TOLERANCE)
    behind = np.concatenate([h.behind for h in heard])
    np.testing.assert_allclose(behind, wanted.ctc_post[0, : len(behind)].numpy(), atol=TOLERANCE)
    assert (codes == wanted.codes[0, : len(codes)].numpy()).all()


def test_a_block_does_not_depend_on_what_comes_after_it(model: Tokenizer) -> None:
    mel = torch.randn(1, 32 * 6, 80)
    changed = mel.clone()
    changed[:, 32 * 3 :] = 0.0
    with torch.no_grad():
        first, second = model(mel), model(changed)
    assert torch.equal(first.codes[:, : 4 * 3], second.codes[:, : 4 * 3])
    assert not torch.allclose(first.ctc[:, 16 * 3 :], second.ctc[:, 16 * 3 :])


def test_a_block_sees_only_three_seconds_back(model: Tokenizer) -> None:
    cfg = model.cfg
    mask = model.block_mask(cfg.block * 14, torch.device("cpu"))
    seen = (mask == 0).sum(dim=1)
    assert int(seen.max()) == cfg.context + cfg.block
    assert int(seen[0]) == cfg.block


def test_nothing_said_yields_nothing(bundle: Bundle, tmp_path: Path) -> None:
    stream = SpeechTokenizer(OnnxCpuEngine(bundle.part("tokenizer")))
    assert stream.hear(np.zeros(100, np.float32)) == []
    assert stream.finish() == []
