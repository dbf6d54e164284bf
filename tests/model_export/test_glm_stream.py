"""A language model written layer by layer: the graph answers as it was judged to."""

from __future__ import annotations

import importlib
import importlib.util

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from device.engine.tensorrt_build import build
from model_export import lint
from model_export.families.glm import Glm, GlmConfig, causal_mask
from model_export.families.glm_stream import Plan, export_streamed
from model_export.onnx_graph import ExportError
from model_export.parts import unpacked
from tests.support.glm_checkpoint import InMemory

CFG = GlmConfig(vocab=640, dim=128, layers=1, heads=4, kv_heads=2, head_dim=64, ffn=256, max_len=64)


RTX = importlib.util.find_spec("tensorrt_rtx") is not None
PROFILE = {"T": (1, 1, 16), "P": (0, 16, 48), "R": (1, 1, 16)}
pytestmark = [pytest.mark.rtx, pytest.mark.slow]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    made = Glm(CFG).eval()
    for name, weight in made.named_parameters():
        if weight.dim() == 2:
            torch.nn.init.normal_(weight, std=0.08)
        elif "norm" in name:  # outlying channels, which smoothing is for
            weight.data[:4] = 8.0
    return made


def speech():
    rng = np.random.default_rng(0)
    return [rng.integers(0, CFG.vocab, 24).tolist() for _ in range(3)]


def exact(model, ids):
    with torch.no_grad():
        hidden, _ = model(torch.tensor(ids)[None], torch.arange(len(ids)), causal_mask(len(ids)))
        return model.output_layer(hidden[0]).numpy()


def answered(path, ids, level=ort.GraphOptimizationLevel.ORT_ENABLE_ALL):
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    running = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    fed = {"ids": np.array(ids), "position_ids": np.arange(len(ids)), "rows": np.arange(len(ids))}
    fed["mask"] = causal_mask(len(ids)).numpy()
    for item in running.get_inputs():
        if item.name.startswith("past_"):
            kind = np.float16 if "float16" in item.type else np.float32
            fed[item.name] = np.zeros((0, CFG.kv_heads, CFG.head_dim), kind)
    return running.run(["logits"], fed)[0]


def snr_db(wanted, found):
    return 10 * np.log10(np.square(wanted).sum() / np.square(wanted - found).sum())


@pytest.mark.parametrize(
    ("plan", "least_db"),
    [
        (Plan("fp16"), 50.0),
        (Plan("int8", smooth=0.5), 20.0),
        (Plan("int4", head="int8"), 8.0),
        (Plan("w8"), 25.0),
    ],
    ids=["fp16", "int8 smooth", "int4", "w8"],
)
def test_the_graph_answers_as_it_was_judged_to(tmp_path, model, plan, least_db):
    ids = speech()
    done = export_streamed(CFG, InMemory(model), ids, plan, tmp_path)
    lint.check(done.graph)
    whole = np.concatenate([exact(model, one) for one in ids])
    found = np.concatenate([answered(done.graph, one) for one in ids])
    assert snr_db(whole, found) > least_db
    # Judged while it was written, so against the graph as written: on some processors ONNX Runtime
    # fuses DequantizeLinear -> MatMul to a kernel that rounds the activations too (4 dB of "w8").
    plain = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    as_written = np.concatenate([answered(done.graph, one, plain) for one in ids])
    near = 4 if plan.wanted == "fp16" else 1  # sums of half floats differ a little
    assert abs(snr_db(whole, as_written) - done.figures["snr_db"]) < near
    stored = onnx.load(done.graph, load_external_data=False).graph.initializer
    assert all(len(item.raw_data) <= 1 << 16 for item in stored)
    if RTX:
        part = unpacked("lm", done.graph, done.precision, PROFILE)
        assert len(build(importlib.import_module("tensorrt_rtx"), part, sm=86).plan) > 1000


def test_an_embedding_beyond_half_floats_is_refused(tmp_path, model):
    weights = InMemory(model)
    weights.state["word_embeddings.weight"] = np.full((CFG.vocab, CFG.dim), 7e4, np.float32)
    with pytest.raises(ExportError, match=r"word_embeddings.*beyond fp16"):
        export_streamed(CFG, weights, [], Plan("fp16"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_int8_needs_speech_and_smoothing_needs_int8(tmp_path, model):
    with pytest.raises(ExportError, match="needs speech"):
        export_streamed(CFG, InMemory(model), [], Plan("int8"), tmp_path)
    for wrong in (("int4", 0.5), ("int8", 1.5)):
        with pytest.raises(ExportError, match="smooth"):
            Plan(wrong[0], smooth=wrong[1])
    assert not list(tmp_path.iterdir())
