"""From the published layout to a bundle, with random weights at small width."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util

import numpy as np
import pytest
import torch

from device.bundle import Bundle
from device.engine.onnx_cpu import OnnxCpuEngine
from device.engine.tensorrt_build import build
from model_export.checkpoints.errors import CheckpointError
from model_export.families.glm import Glm, causal_mask
from model_export.families.glm_4_voice.export import PARTS, Wishes, export
from model_export.families.glm_4_voice.files import open_published
from model_export.gates import GateFailed
from model_export.variants import variant
from tests.support.glm_checkpoint import SIZES, write_checkpoints, write_vocabulary

pytestmark = pytest.mark.slow

# Random weights say next to nothing, so a rounding changes their mind more often than a trained
# model's; the bars here only tell a graph that computes the same from one that does not.
BARS = {
    "tokenizer": 0.5,
    "lm": 0.3,
    "flow_estimator": 0.5,
    "hift_decode": 10.0,
    "flow_encoder": 0.1,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return write_checkpoints(tmp_path_factory.mktemp("published"))


def opened(folders):
    return open_published(folders.tokenizer, folders.lm, folders.decoder, SIZES)


def speech():
    rng = np.random.default_rng(0)
    time = np.arange(32_000) / 16_000
    tones = [np.sin(2 * np.pi * hz * time) * np.hanning(time.size) for hz in (200, 340)]
    return [(0.3 * t + 0.01 * rng.standard_normal(t.size)).astype(np.float32) for t in tones]


@pytest.fixture(scope="module")
def said():
    return []


@pytest.fixture(scope="module")
def bundle(folders, tmp_path_factory, said) -> Bundle:
    out = tmp_path_factory.mktemp("out") / "glm"
    wishes = Wishes("int4", head="int8", bars=BARS)
    # First the gate of a late part stops it: what is finished is not made again.
    strict = dataclasses.replace(wishes, bars=BARS | {"hift_decode": 1e9})
    with pytest.raises(GateFailed, match=r"part hift_decode: snr_db of wave .* --gate hift_decode"):
        export(opened(folders), speech(), strict, out, said.append)
    assert not out.exists()
    return export(opened(folders), speech(), wishes, out, said.append)


def test_every_part_is_there_in_its_precision(bundle):
    found = {name: part.precision for name, part in bundle.manifest.parts.items()}
    assert found == {
        "tokenizer": "w8a8", "lm": "w4", "flow_encoder": "fp16", "flow_regulator": "fp32",
        "flow_estimator": "w8a8", "hift_pitch": "fp32", "hift_decode": "fp16",
    }  # fmt: skip
    assert tuple(found) == PARTS
    assert bundle.file("lm.lm.weights").stat().st_size > 168_960 * 128


def test_parts_that_were_finished_are_kept(bundle, said):
    kept = [line for line in said if line.endswith("finished before, kept")]
    assert len(kept) == len(PARTS) - 1
    assert not [path for path in bundle.root.parent.iterdir() if path.name.startswith(".")]


def test_the_licence_travels_with_the_weights(bundle):
    assert "Built with glm-4" in bundle.manifest.notice
    assert bundle.file("licence").read_text() == "The licence of the weights.\n"


def test_figures_stand_beside_their_bars(bundle):
    figures = bundle.manifest.evaluation
    assert figures["gate.lm.top1"] >= figures["gate.lm.top1.bar"] == 0.3
    assert figures["gate.flow_estimator.l1"] <= figures["gate.flow_estimator.l1.bar"]


def test_the_streamed_language_model_answers_as_the_float_one(bundle, folders):
    published = opened(folders)
    weights = published.lm_weights
    state = {name: torch.from_numpy(weights.read(name)) for name in weights.shapes}
    exact = Glm(published.lm_config)
    exact.load_state_dict(state)
    ids = np.random.default_rng(1).integers(0, 151_329, 12)
    with torch.no_grad():
        hidden, _ = exact.eval()(torch.from_numpy(ids)[None], torch.arange(12), causal_mask(12))
        wanted = exact.output_layer(hidden[0]).numpy()
    engine = OnnxCpuEngine(bundle.part("lm"))
    fed = {"ids": ids, "position_ids": np.arange(12), "mask": causal_mask(12).numpy()}
    found = engine.run({**fed, "rows": np.arange(12)}, engine.new_state(16))["logits"]
    snr = 10 * np.log10(np.square(wanted).sum() / np.square(found - wanted).sum())
    # Emulated layer by layer while it was written: the graph must do just that.
    assert abs(snr - bundle.manifest.evaluation["gate.lm.snr_db"]) < 2.0


needs_rtx = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None, reason="tensorrt-rtx is not installed"
)


@needs_rtx
@pytest.mark.rtx
@pytest.mark.parametrize("part", PARTS)
def test_every_part_builds(bundle, part):
    trt = importlib.import_module("tensorrt_rtx")
    assert len(build(trt, bundle.part(part), sm=86).plan) > 1000


@needs_rtx
@pytest.mark.rtx
@pytest.mark.parametrize("wanted", ["fp16", "int8"])
@pytest.mark.parametrize("part", [name for name in PARTS if name != "lm"])
def test_every_part_builds_in_other_precisions(bundle, tmp_path, part, wanted):
    """The language model's are in test_glm_stream: int4 cannot be read back."""
    trt = importlib.import_module("tensorrt_rtx")
    made = variant(bundle.part(part), wanted, tmp_path)
    assert len(build(trt, made, sm=86).plan) > 1000


def test_all_faults_of_all_folders_are_said_at_once(folders, tmp_path):
    decoder = tmp_path / "decoder"
    decoder.mkdir()
    torch.save({"w": torch.zeros(3)}, decoder / "flow.pt")
    lm = tmp_path / "lm"
    lm.mkdir()
    for path in folders.lm.iterdir():
        (lm / path.name).symlink_to(path)
    (lm / "tokenizer_config.json").unlink()
    (lm / "tokenizer.model").unlink()
    write_vocabulary(lm, **{"<|user|>": 1})
    (lm / "model-00002-of-00004.safetensors").unlink()
    with pytest.raises(CheckpointError) as caught:
        open_published(folders.tokenizer, lm, decoder, SIZES)
    message = str(caught.value)
    assert "lacks model-00002-of-00004.safetensors" in message
    assert "<|user|> is 1, not 151336" in message
    assert "surplus: w [3]" in message
    assert "missing: encoder_proj.bias [80]" in message
    assert "hift.pt: cannot be read" in message
