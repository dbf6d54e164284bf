"""The GLM decoder: cached in random pieces equals whole, in torch and in ONNX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from device.engine.onnx_cpu import OnnxCpuEngine
from device.speech.language_model import LanguageModel, log_softmax
from model_export.families.glm import Glm, GlmConfig, causal_mask, rope_tables, rotate
from model_export.families.glm_graph import export_glm
from model_export.pack import PartSource, pack
from tests.support.bundle_head import head

CONFIG = GlmConfig(vocab=96, dim=32, layers=2, heads=4, kv_heads=2, head_dim=16, ffn=48, max_len=64)
TOLERANCE = 1e-4  # logits, float32


@pytest.fixture(scope="module")
def model() -> Glm:
    torch.manual_seed(1)
    glm = Glm(CONFIG).eval()
    for parameter in glm.parameters():  # the small initial weights would hide mistakes
        torch.nn.init.normal_(parameter, std=0.3)
    return glm


@pytest.fixture(scope="module")
def engine(model: Glm, tmp_path_factory: pytest.TempPathFactory) -> OnnxCpuEngine:
    folder: Path = tmp_path_factory.mktemp("glm")
    export_glm(model, folder / "lm.onnx")
    bundle = pack(folder / "bundle", head(), {"lm": PartSource(folder / "lm.onnx", "fp32")}, {})
    return OnnxCpuEngine(bundle.part("lm"))


def logits_of(model: Glm, ids: list[int]) -> np.ndarray:
    """float32[T, vocab] of a whole sequence."""
    with torch.no_grad():
        hidden, _ = model(torch.tensor([ids]), torch.arange(len(ids)), causal_mask(len(ids)))
        return model.output_layer(hidden)[0].numpy()


@pytest.mark.parametrize("seed", range(4))
def test_reading_in_random_pieces_equals_reading_at_once(
    model: Glm, engine: OnnxCpuEngine, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, CONFIG.vocab, 40).tolist()
    wanted = logits_of(model, ids)
    lm, at = LanguageModel(engine, CONFIG.max_len), 0
    while at < len(ids):
        step = int(rng.integers(1, 9))
        got = lm.read(ids[at : at + step])
        at = min(at + step, len(ids))
        np.testing.assert_allclose(got, wanted[at - 1], atol=TOLERANCE, rtol=1e-4)


def test_scoring_a_text_leaves_the_cache_alone_and_sums_its_log_probabilities(
    model: Glm, engine: OnnxCpuEngine
) -> None:
    ids, text = [5, 17, 80, 2, 9], [33, 4, 60]
    lm = LanguageModel(engine, CONFIG.max_len)
    first = lm.read(ids)
    score = lm.score(text, first)
    assert lm.length == len(ids)
    rows = log_softmax(logits_of(model, ids + text))
    wanted = sum(rows[len(ids) - 1 + n, token] for n, token in enumerate(text))
    assert score == pytest.approx(float(wanted), abs=1e-3)


def test_cutting_back_forgets(engine: OnnxCpuEngine) -> None:
    lm = LanguageModel(engine, CONFIG.max_len)
    lm.read([1, 2, 3])
    wanted = lm.read([4])
    lm.cut(3)
    lm.read([50, 51])
    lm.cut(3)
    np.testing.assert_allclose(lm.read([4]), wanted, atol=1e-6)


def test_rotation_is_of_interleaved_pairs_of_the_first_half_only() -> None:
    cos, sin = rope_tables(CONFIG)
    x = torch.randn(1, 3, 2, CONFIG.head_dim)
    turned = rotate(x, cos[:3], sin[:3], CONFIG.rotary)
    assert torch.equal(turned[..., CONFIG.rotary :], x[..., CONFIG.rotary :])
    assert torch.equal(turned[:, 0], x[:, 0])
    # Pair (0, 1) at position 2 turns by 2 radians: θ₀ = 1.
    a, b = x[0, 2, 0, 0], x[0, 2, 0, 1]
    angle = torch.tensor(2.0)
    assert torch.isclose(turned[0, 2, 0, 0], a * angle.cos() - b * angle.sin())
    assert torch.isclose(turned[0, 2, 0, 1], b * angle.cos() + a * angle.sin())


def test_each_kv_head_serves_a_group_of_queries(model: Glm) -> None:
    layer = model.layers[0]
    q = torch.randn(1, 5, CONFIG.heads, CONFIG.head_dim)
    k = torch.randn(1, 5, CONFIG.kv_heads, CONFIG.head_dim)
    v = torch.randn(1, 5, CONFIG.kv_heads, CONFIG.head_dim)
    got = layer._attend(q, k, v, causal_mask(5))
    group = CONFIG.heads // CONFIG.kv_heads
    wanted = F.scaled_dot_product_attention(
        q.transpose(1, 2),
        k.repeat_interleave(group, dim=2).transpose(1, 2),
        v.repeat_interleave(group, dim=2).transpose(1, 2),
        is_causal=True,
    ).transpose(1, 2)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)
