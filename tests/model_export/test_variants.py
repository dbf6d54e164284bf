"""A finished bundle in other precisions, and the command that builds them all."""

from __future__ import annotations

import argparse
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.message import EncodeError

from device.bundle import Bundle
from device.engine.onnx_cpu import OnnxCpuEngine
from model_export.commands import engine_build
from model_export.onnx_graph import ExportError, load
from model_export.pack import PartSource, pack
from model_export.quantize import quantize
from model_export.variants import Underivable, dequantised, stored_bytes, variant, variants
from services.cli import main
from tests.device import graphs
from tests.support.glm_bundle import tiny_glm

needs_rtx = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None, reason="tensorrt-rtx is not installed"
)
BUILT_IN = Path(__file__).parents[2] / "bundles/linnet_mini-en"
FEEDS = {"ids": np.arange(16)}


@pytest.fixture
def bundle(tmp_path) -> Bundle:
    made = quantize(graphs.perceptron(width=128), "w8a8", feeds=graphs.id_feeds()).model
    path = graphs.save(made, tmp_path / "lm.onnx")
    parts = {
        "lm": PartSource(path, "w8a8", {"T": (1, 1, 64)}),
        "vocoder": PartSource(graphs.save(graphs.perceptron(), tmp_path / "vocoder.onnx"),
                              "fp32", {"T": (1, 1, 64)}),
    }  # fmt: skip
    return pack(tmp_path / "bundle", graphs.head(), parts, {})


def test_int4_is_for_the_language_model_alone(bundle):
    assert list(variants(bundle)) == [
        ("lm", "fp16"), ("lm", "int8"), ("lm", "int4"), ("vocoder", "fp16"), ("vocoder", "int8"),
    ]  # fmt: skip


def test_a_part_that_is_stored_so_is_taken_as_it_is(bundle, tmp_path):
    assert variant(bundle.part("lm"), "int8", tmp_path) == bundle.part("lm")


@pytest.mark.parametrize(
    ("wanted", "precision", "limit"), [("fp16", "fp16", 0.03), ("int4", "w4", 0.2)]
)
def test_a_variant_says_nearly_the_same(bundle, tmp_path, wanted, precision, limit):
    made = variant(bundle.part("lm"), wanted, tmp_path)
    assert made.spec.precision == precision
    whole = OnnxCpuEngine(bundle.part("lm")).run(FEEDS)["y"]
    found = OnnxCpuEngine(made).run(FEEDS)["y"]
    error = np.linalg.norm(found - whole) / np.linalg.norm(whole)
    assert 1e-4 < error < limit


def test_reading_the_weights_back_leaves_the_rounding_of_activations_out(bundle, tmp_path):
    plain = dequantised(load(bundle.part("lm").path))
    assert not {"QuantizeLinear", "DequantizeLinear"} & {node.op_type for node in plain.graph.node}
    names = {item.name for item in plain.graph.initializer}
    assert "w2__dq1" in names


@pytest.fixture
def int4_bundle(tmp_path) -> Bundle:
    """As exported: a language model in int4, the rest in what suits it."""
    lm = graphs.save(quantize(graphs.perceptron(width=128), "w4").model, tmp_path / "lm.onnx")
    vocoder = graphs.save(graphs.perceptron(), tmp_path / "vocoder.onnx")
    sizes = {"T": (1, 1, 64)}
    parts = {"lm": PartSource(lm, "w4", sizes), "vocoder": PartSource(vocoder, "fp32", sizes)}
    return pack(tmp_path / "int4", graphs.head(), parts, {})


def test_int4_cannot_be_read_back_to_anything_else(int4_bundle, tmp_path):
    with pytest.raises(ExportError, match="start from a float bundle"):
        dequantised(load(int4_bundle.part("lm").path))
    with pytest.raises(Underivable, match="is stored in int4; export a bundle with --precision"):
        variant(int4_bundle.part("lm"), "int8", tmp_path)


def test_large_weights_are_saved_beside_the_graph(bundle, tmp_path):
    small, large = tmp_path / "small", tmp_path / "large"
    for folder in (small, large):
        folder.mkdir()
    one = variant(bundle.part("lm"), "fp16", small)
    other = variant(bundle.part("lm"), "fp16", large, external=1_000)
    assert [path.name for path in small.iterdir()] == ["lm-fp16.onnx"]
    assert (large / "lm-fp16.onnx.weights").stat().st_size > 10 * other.path.stat().st_size
    assert stored_bytes(other.path) == pytest.approx(stored_bytes(one.path), rel=0.02)
    found = [OnnxCpuEngine(part).run(FEEDS)["y"] for part in (one, other)]
    np.testing.assert_array_equal(*found)


def arguments(**changes):
    named = {
        "target": "sm86", "part": None, "precision": None, "tensorrt": "tensorrt_rtx", "json": True,
    }  # fmt: skip
    return argparse.Namespace(**{**named, **changes})


@needs_rtx
@pytest.mark.rtx
def test_every_part_in_every_precision_builds(bundle, capsys):
    assert engine_build.run(arguments(), bundle)
    facts = json.loads(capsys.readouterr().out)
    assert facts["ok"]
    found = {(row["part"], row["wanted"], row["precision"]) for row in facts["parts"]}
    assert ("lm", "int4", "w4") in found
    assert len(found) == 5
    assert all(row["plan_bytes"] > 1000 and row["layers"] for row in facts["parts"])
    warned = [(row["part"], row["precision"]) for row in facts["parts"] if row["warnings"]]
    assert warned == [("vocoder", "w8")]


@needs_rtx
@pytest.mark.rtx
def test_one_part_that_does_not_build_fails_the_command(tmp_path, capsys):
    path = graphs.save(graphs.perceptron(), tmp_path / "lm.onnx")
    bundle = pack(tmp_path / "bundle", graphs.head(), {"lm": PartSource(path, "fp32")}, {})
    assert not engine_build.run(arguments(precision=["fp16"], json=False), bundle)
    assert "FAILED  the profile lacks a size: the dim 'T'" in capsys.readouterr().out


@needs_rtx
@pytest.mark.rtx
def test_what_int4_does_not_hold_is_skipped_and_the_others_are_built(int4_bundle, capsys):
    assert engine_build.run(arguments(), int4_bundle)
    rows = json.loads(capsys.readouterr().out)["parts"]
    assert [row["wanted"] for row in rows if row["skipped"]] == ["fp16", "int8"]
    assert all(row["part"] == "lm" and not row["error"] for row in rows if row["skipped"])
    assert [(row["part"], row["wanted"]) for row in rows if row["plan_bytes"]] == [
        ("lm", "int4"), ("vocoder", "fp16"), ("vocoder", "int8"),
    ]  # fmt: skip
    asked = arguments(part=["lm"], precision=["int8"], json=False)
    assert not engine_build.run(asked, int4_bundle)
    assert "skipped  is stored in int4" in capsys.readouterr().out


@needs_rtx
@pytest.mark.rtx
def test_a_part_beyond_two_gigabytes_leaves_the_rows_of_the_others(int4_bundle, capsys):
    def too_large(part, wanted, folder):
        if part.name == "lm":
            raise EncodeError("Failed to serialize proto")  # as protobuf does
        return variant(part, wanted, folder)

    assert not engine_build.run(arguments(precision=["fp16"]), int4_bundle, too_large)
    lm, vocoder = json.loads(capsys.readouterr().out)["parts"]
    assert "2 GB" in lm["error"]
    assert vocoder["plan_bytes"] > 1000


@needs_rtx
@pytest.mark.rtx
def test_a_random_bundle_builds_by_the_command(capsys):
    """The small parts: that every part has its profile is told by test_glm_profiles."""
    parts = ("lm", "flow_regulator", "hift_pitch")
    asked = ["engine", "build", "--target", "sm86", "--all", "--bundle", str(tiny_glm().root)]
    asked += ["--tensorrt", "tensorrt_rtx", "--json"]
    assert main([*asked, *(word for part in parts for word in ("--part", part))]) == 0
    rows = json.loads(capsys.readouterr().out)["parts"]
    assert [(row["part"], row["wanted"]) for row in rows if not row["error"]] == [
        ("lm", "fp16"), ("lm", "int8"), ("lm", "int4"),
        ("flow_regulator", "fp16"), ("flow_regulator", "int8"),
        ("hift_pitch", "fp16"), ("hift_pitch", "int8"),
    ]  # fmt: skip
    assert rows[2]["layers"]["INT4"]


@needs_rtx
@pytest.mark.rtx
@pytest.mark.slow
def test_every_part_of_the_built_in_bundle_builds_in_every_precision(capsys):
    asked = ["engine", "build", "--target", "sm86", "--all", "--bundle", str(BUILT_IN)]
    assert main([*asked, "--tensorrt", "tensorrt_rtx", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["parts"]
    assert [(row["part"], row["wanted"]) for row in rows] == [
        ("tokenizer", "fp16"), ("tokenizer", "int8"),
        ("lm", "fp16"), ("lm", "int8"), ("lm", "int4"),
        ("speech_decoder", "fp16"), ("speech_decoder", "int8"),
        ("vocoder", "fp16"), ("vocoder", "int8"),
    ]  # fmt: skip
    assert not [row for row in rows if row["error"] or row["skipped"]]
    assert all(row["plan_bytes"] > 100_000 and row["layers"] for row in rows)
    assert rows[4]["layers"]["INT4"]


@needs_rtx
def test_int4_of_another_part_is_refused(int4_bundle):
    with pytest.raises(ExportError, match="int4 is for the language model alone"):
        engine_build.run(arguments(part=["vocoder"], precision=["int4"]), int4_bundle)


def test_what_cannot_be_asked_for(bundle):
    with pytest.raises(engine_build.TensorRtMissing, match="linnet\\[trt-ci\\]"):
        engine_build.tensorrt("tensorrt_that_is_not_there")
    with pytest.raises(ExportError, match="is not like sm86"):
        engine_build.generation("orin")
    assert engine_build.generation("SM_87") == 87
