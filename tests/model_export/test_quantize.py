"""The quantiser: what the numbers must be, and that ONNX Runtime computes with them."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from device.engine.onnx_cpu import OnnxCpuEngine
from model_export.calibrate import Magnitudes, calibrate, output_errors
from model_export.gates import Gate
from model_export.lint import lint
from model_export.onnx_graph import ExportError
from model_export.pack import PartSource, pack
from model_export.parts import Recipe, make_part
from model_export.quantize import quantize
from model_export.rounding import WORSE, kept_scales, restored, to_codes
from tests.device import graphs


def arrays(made):
    return {item.name: numpy_helper.to_array(item) for item in made.graph.initializer}


def ops(made):
    return [node.op_type for node in made.graph.node]


@pytest.mark.parametrize(
    ("mode", "limit"), [("w8", 0.015), ("w8a8", 0.03)], ids=["weights", "both"]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float16], ids=["f32", "f16"])
def test_the_error_is_that_of_eight_bits(mode, limit, dtype):
    made = graphs.perceptron(dtype=dtype)
    result = quantize(made, mode, feeds=graphs.id_feeds())
    assert set(result.nodes) == {"up", "down"}
    errors = output_errors(made, result.model, graphs.id_feeds(seed=1))
    assert 1e-3 < errors["y"] < limit  # not zero either: something was quantised
    assert lint(result.model) == []


def test_weights_have_one_scale_for_each_output_channel():
    weight = graphs.weights(128, 64, seed=7)
    stored = arrays(quantize(graphs.perceptron(), "w8").model)
    np.testing.assert_allclose(stored["w2__scale_1"], np.abs(weight).max(axis=0) / 127)
    assert stored["w2__int8_1"].dtype == np.int8
    assert np.abs(stored["w2__int8_1"].astype(int)).max(axis=0).tolist() == [127] * 64
    restored = stored["w2__int8_1"] * stored["w2__scale_1"]
    assert np.abs(restored - weight).max() <= stored["w2__scale_1"].max() / 2 * 1.0001
    assert stored["w2__zero_1"].dtype == np.int8
    assert not stored["w2__zero_1"].any()
    assert "w2" not in stored  # the float weight is not carried along


def test_the_activation_scale_is_the_calibrated_one():
    made = graphs.perceptron()
    stored = arrays(quantize(made, "w8a8", feeds=graphs.id_feeds()).model)
    greatest = calibrate(made, graphs.id_feeds(), ["r"])["r"]
    np.testing.assert_allclose(stored["r__scale"], greatest / 127, rtol=1e-6)
    assert stored["r__zero"].dtype == np.int8


def test_a_gemm_becomes_matmul_and_add():
    made = graphs.perceptron()
    result = quantize(made, "w8").model
    assert "Gemm" not in ops(result)
    assert ops(result).count("MatMul") == 2
    assert "Add" in ops(result)


def test_the_input_model_is_left_as_it_is():
    made = graphs.perceptron()
    before = made.SerializeToString()
    quantize(made, "w8a8", feeds=graphs.id_feeds(), embeddings=["table"])
    assert made.SerializeToString() == before


def test_excluded_nodes_stay_float():
    result = quantize(graphs.perceptron(), "w8", exclude=["up"])
    assert result.nodes == ("down",)
    assert "Gemm" in ops(result.model)
    result = quantize(graphs.perceptron(), "w8", exclude=["do*"])
    assert result.nodes == ("up",)
    assert result.skipped == {"down": "excluded"}


def test_attention_products_stay_float():
    result = quantize(graphs.attention(), "w8")
    assert set(result.nodes) == {"k_proj", "v_proj"}
    assert set(result.skipped) == {"scores", "mix"}
    assert all("not constant" in reason for reason in result.skipped.values())


def test_two_layers_share_the_pair_of_their_input():
    rng = np.random.default_rng(0)
    feeds = [
        {
            "x": rng.standard_normal((4, 8), np.float32),
            "mask": graphs.causal_mask(0, 4),
            "past_k_0": np.zeros((0, 1, 8), np.float32),
            "past_v_0": np.zeros((0, 1, 8), np.float32),
        }
    ]
    result = quantize(graphs.attention(), "w8a8", feeds=feeds).model
    assert ops(result).count("QuantizeLinear") == 1
    assert output_errors(graphs.attention(), result, feeds)["y"] < 0.02


def shared_weight():
    """x @ w @ w: one weight, two readers, and a table that is also a weight."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "first"),
        helper.make_node("MatMul", ["h", "w"], ["y"], "second"),
    ]
    ends = [graphs.value("x", ["T", 8])], [graphs.value("y", ["T", 8])]
    return graphs.model(nodes, *ends, [graphs.constant("w", graphs.weights(8, 8))])


def test_a_shared_weight_is_stored_once():
    result = quantize(shared_weight(), "w8")
    assert len(result.nodes) == 2
    assert (
        sum(item.dtype == np.int8 and item.ndim == 2 for item in arrays(result.model).values()) == 1
    )
    onnx.checker.check_model(result.model)


def test_convolutions_on_request():
    made = graphs.convolution()
    with pytest.raises(ExportError, match="found nothing to quantise"):
        quantize(made, "w8")
    result = quantize(made, "w8", op_types=["Conv"])
    assert arrays(result.model)["kernel__scale_0"].shape == (4,)
    feeds = [{"x": graphs.weights(1, 4, 9), "tail": np.zeros((1, 4, 2), np.float32)}]
    assert 0 < output_errors(made, result.model, feeds)["y"] < 0.01


def test_a_channel_of_zeros_keeps_a_scale_above_zero():
    made = shared_weight()
    weight = graphs.weights(8, 8)
    weight[:, 3] = 0.0
    made.graph.initializer[0].CopyFrom(graphs.constant("w", weight))
    result = quantize(made, "w8").model
    assert arrays(result)["w__scale_1"].min() > 0
    assert lint(result) == []


def test_half_precision_moves_to_the_opset_that_has_it():
    made = graphs.perceptron(dtype=np.float16, opset=18)
    result = quantize(made, "w8a8", feeds=graphs.id_feeds()).model
    assert result.opset_import[0].version >= 19
    assert arrays(result)["r__scale"].dtype == np.float16
    assert quantize(graphs.perceptron(), "w8").model.opset_import[0].version == 18


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"mode": "w8a8"}, "calibration: there are no feeds"),
        ({"mode": "w8", "exclude": ["upp"]}, "exclude: 'upp' fits nothing"),
        ({"mode": "w8", "embeddings": ["tabel"]}, "embeddings: 'tabel' fits nothing"),
        ({"mode": "w8", "op_types": ["Conv"]}, "found nothing to quantise"),
    ],
)
def test_what_cannot_be_done_is_said(options, complaint):
    with pytest.raises(ExportError, match=complaint):
        quantize(graphs.perceptron(), **options)


def test_an_activation_that_is_always_zero_and_one_that_is_not_finite():
    with pytest.raises(ExportError, match="x: was zero on every feed"):
        quantize(shared_weight(), "w8a8", feeds=[{"x": np.zeros((2, 8), np.float32)}])
    with pytest.raises(ExportError, match="x: is not finite on feed 1"):
        quantize(shared_weight(), "w8a8", feeds=[{"x": np.full((2, 8), np.nan, np.float32)}])


@settings(deadline=None)
@example([[2.0**-149]], 50.0)  # the least float32: too small to be cut into bins
@given(
    st.lists(st.lists(st.floats(-1e3, 1e3, width=32), max_size=50), min_size=1, max_size=6),
    st.floats(50.0, 100.0),
)
def test_the_histogram_knows_the_percentile_to_a_bin(batches, percent):
    seen = Magnitudes()
    for batch in batches:
        seen.observe(np.array(batch, np.float32))
    values = np.sort(np.abs(np.concatenate([np.array(batch, np.float32) for batch in batches])))
    assert seen.greatest == (values[-1] if values.size else 0.0)
    found = seen.percentile(percent)
    assert 0.0 <= found <= seen.greatest
    if values.size:
        # No more than the stated share lies above, but for what shares the bin of the answer.
        exact = values[max(0, int(np.ceil(percent / 100 * values.size)) - 1)]
        assert exact - 1e-6 <= found <= exact + 2 * seen.greatest / 4096 + 1e-6


def test_outliers_are_cut_by_a_percentile():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2000, 8)).astype(np.float32)
    x[0, 0] = 1000.0
    ranges = [calibrate(shared_weight(), [{"x": x}], ["x"], share)["x"] for share in (100, 99.9)]
    assert ranges[0] == 1000.0
    assert 2.5 < ranges[1] < 4.5


def test_a_quantised_bundle_runs_and_is_small(tmp_path):
    made = graphs.perceptron(width=256)
    small = quantize(made, "w8a8", feeds=graphs.id_feeds(), embeddings=["table"]).model
    sizes = {}
    for name, model, precision in (("full", made, "fp32"), ("small", small, "w8a8")):
        source = graphs.save(model, tmp_path / f"{name}.onnx")
        bundle = pack(tmp_path / name, graphs.head(), {"lm": PartSource(source, precision)}, {})
        sizes[name] = bundle.manifest.parts["lm"].bytes
        OnnxCpuEngine(bundle.part("lm")).warm_up({"T": 4})
    assert sizes["small"] < 0.3 * sizes["full"]


def least_cpu_seconds(run):
    spent = []
    for _ in range(40):
        start = time.thread_time()
        run()
        spent.append(time.thread_time() - start)
    return min(spent)


@pytest.mark.parametrize("mode", ["w8", "w8a8"])
def test_eight_bits_are_not_slower_than_floats(tmp_path, mode):
    """Were the weights dequantised on every run, they would be five times slower."""
    made = graphs.perceptron(width=512)
    small = quantize(made, mode, feeds=graphs.id_feeds()).model
    feeds = graphs.id_feeds(1, 1)[0]
    spent = {}
    for precision, model in (("fp32", made), (mode, small)):
        source = graphs.save(model, tmp_path / f"{precision}.onnx")
        bundle = pack(
            tmp_path / precision, graphs.head(), {"lm": PartSource(source, precision)}, {}
        )
        engine = OnnxCpuEngine(bundle.part("lm"))
        spent[precision] = least_cpu_seconds(lambda engine=engine: engine.run(feeds))
    assert spent[mode] < spent["fp32"], spent


def test_an_embedding_is_gathered_as_half_floats():
    made = graphs.perceptron()
    result = quantize(made, "w8", embeddings=["table"], exclude=["up"])
    assert result.nodes == ("embed", "down")
    stored = arrays(result.model)
    assert stored["table__fp16"].dtype == np.float16
    assert "table" not in stored
    np.testing.assert_allclose(stored["table__fp16"], graphs.weights(32, 64, seed=4), rtol=1e-3)
    huge = graphs.perceptron()
    huge.graph.initializer[0].CopyFrom(graphs.constant("table", np.full((32, 64), 1e6, "f4")))
    with pytest.raises(ExportError, match="table: has values beyond fp16"):
        quantize(huge, "w8", embeddings=["table"])


# Packing.


def test_packing_refuses_what_is_there_and_replaces_on_request(tmp_path):
    source = graphs.save(graphs.perceptron(), tmp_path / "source.onnx")
    parts = {"lm": PartSource(source, "fp32", {"T": (1, 1, 64)})}
    pack(tmp_path / "bundle", graphs.head(), parts, {})
    with pytest.raises(ExportError, match="bundle: exists"):
        pack(tmp_path / "bundle", graphs.head(version="2.0"), parts, {})
    bundle = pack(tmp_path / "bundle", graphs.head(version="2.0"), parts, {}, replace=True)
    assert bundle.manifest.version == "2.0"
    assert bundle.part("lm").spec.profile == {"T": (1, 1, 64)}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "source.onnx"]


@pytest.mark.parametrize(("mode", "stated"), [("w8", "fp32"), ("w8", "w8a8"), ("w8a8", "w8")])
def test_a_precision_that_is_not_the_graphs(tmp_path, mode, stated):
    made = quantize(graphs.perceptron(), mode, feeds=graphs.id_feeds()).model
    source = graphs.save(made, tmp_path / "source.onnx")
    with pytest.raises(ExportError, match=f"part lm: is .* and not {stated}"):
        pack(tmp_path / "bundle", graphs.head(), {"lm": PartSource(source, stated)}, {})


def test_a_failed_packing_leaves_nothing_behind(tmp_path):
    source = graphs.save(graphs.perceptron(), tmp_path / "source.onnx")
    parts = {"lm": PartSource(source, "fp32")}
    with pytest.raises(ExportError, match="cannot be packed"):
        pack(tmp_path / "bundle", graphs.head(), parts, {"voice": tmp_path / "missing.json"})
    made = graphs.perceptron()
    made.graph.node[2].op_type = "Softplus"
    bad = graphs.save(made, tmp_path / "bad.onnx")
    with pytest.raises(ExportError, match="Softplus is not on the list"):
        pack(tmp_path / "bundle", graphs.head(), {"lm": PartSource(bad, "fp32")}, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.onnx", "source.onnx"]


def test_packing_twice_gives_the_same_bytes(tmp_path):
    source = graphs.save(graphs.perceptron(), tmp_path / "source.onnx")
    digests = {
        pack(tmp_path / name, graphs.head(), {"lm": PartSource(source, "fp32")}, {}).digest
        for name in ("one", "two")
    }
    assert len(digests) == 1
    manifest = json.loads((tmp_path / "one" / "manifest.json").read_text())
    assert str(Path.cwd()) not in json.dumps(manifest)


def test_weights_beside_the_graph_are_packed_with_it(tmp_path):
    path = tmp_path / "lm.onnx"
    onnx.save(
        graphs.perceptron(),
        path,
        save_as_external_data=True,
        location="lm.weights",
        size_threshold=0,
    )
    source = PartSource(path, "fp32", external=(tmp_path / "lm.weights",))
    bundle = pack(tmp_path / "bundle", graphs.head(), {"lm": source}, {})
    assert bundle.file("lm.lm.weights").name == "lm.weights"
    OnnxCpuEngine(bundle.part("lm")).warm_up({"T": 2})


def outlying():
    """A norm whose third channel is a hundred times the others, and the layer behind it."""
    nodes = [
        helper.make_node("LayerNormalization", ["x", "gain", "shift"], ["n"], "norm", axis=-1),
        helper.make_node("MatMul", ["n", "w"], ["y"], "layer"),
    ]
    gain = np.ones(16, np.float32)
    gain[2] = 100.0
    weight = graphs.weights(16, 8)
    weight[2] /= 100.0
    constants = [
        graphs.constant("gain", gain), graphs.constant("shift", np.zeros(16, np.float32)),
        graphs.constant("w", weight),
    ]  # fmt: skip
    ends = [graphs.value("x", ["T", 16])], [graphs.value("y", ["T", 8])]
    return graphs.model(nodes, *ends, constants)


def test_smoothing_moves_outliers_into_the_weights():
    feeds = [{"x": np.random.default_rng(0).standard_normal((32, 16)).astype(np.float32)}]
    made = outlying()
    rough = quantize(made, "w8a8", feeds=feeds).model
    smooth = quantize(made, "w8a8", feeds=feeds, smooth=0.5).model
    errors = [output_errors(made, small, feeds)["y"] for small in (rough, smooth)]
    assert errors[1] < 0.3 * errors[0]
    assert lint(smooth) == []


def test_smoothing_leaves_alone_what_something_else_reads():
    made = outlying()
    made.graph.node.append(helper.make_node("MatMul", ["x", "w"], ["z"], "other"))
    made.graph.output.append(graphs.value("z", ["T", 8]))
    feeds = [{"x": np.random.default_rng(0).standard_normal((32, 16)).astype(np.float32)}]
    smooth = quantize(made, "w8a8", feeds=feeds, smooth=0.5).model
    np.testing.assert_array_equal(arrays(smooth)["gain"], arrays(made)["gain"])


def test_int4_has_a_scale_for_each_128_values_of_a_channel():
    made = graphs.perceptron(width=128)
    result = quantize(made, "w4")
    assert set(result.nodes) == {"up", "down"}
    stored = {item.name: item for item in result.model.graph.initializer}
    assert list(stored["w2__scale4"].dims) == [2, 128]
    assert stored["w2__int4"].data_type == onnx.TensorProto.INT4
    codes = numpy_helper.to_array(stored["w2__int4"]).astype(np.int8)
    weight = graphs.weights(256, 128, seed=7)
    scale = np.repeat(numpy_helper.to_array(stored["w2__scale4"]), 128, axis=0)
    assert np.abs(codes * scale - weight).max() <= scale.max() / 2 * 1.0001
    assert lint(result.model) == []


def test_int4_leaves_other_depths_in_float():
    result = quantize(graphs.perceptron(width=64), "w4")
    assert result.nodes == ("down",)
    assert "multiple of 128" in result.skipped["up"]


# --- the scales of an earlier release ------------------------------------------------------------


def trained_on(made, by, only=("w1", "w2"), seed=0):
    """The same graph with its weights moved by a share of their deviation."""
    rng, moved = np.random.default_rng(seed), onnx.ModelProto()
    moved.CopyFrom(made)
    for item in moved.graph.initializer:
        if item.name in only:
            values = numpy_helper.to_array(item)
            noise = rng.standard_normal(values.shape) * values.std() * by
            item.CopyFrom(graphs.constant(item.name, (values + noise).astype(values.dtype)))
    return moved


def changed_bytes(one, other):
    a, b = (np.frombuffer(made.SerializeToString(), np.uint8) for made in (one, other))
    return int((a != b).sum())


@pytest.mark.parametrize("dtype", [np.float32, np.float16], ids=["f32", "f16"])
def test_a_fine_tune_keeps_the_scales_of_the_release_before(dtype):
    before = quantize(graphs.perceptron(dtype=dtype), "w8").model
    tuned = trained_on(graphs.perceptron(dtype=dtype), by=0.005)
    anew, kept = quantize(tuned, "w8"), quantize(tuned, "w8", earlier=before)
    assert changed_bytes(before, kept.model) < changed_bytes(before, anew.model)
    assert anew.kept == {}
    old, new = arrays(before), arrays(kept.model)
    assert old.keys() == new.keys()
    for name, (served, channels) in kept.kept.items():
        same = old[f"{name}__scale_1"] == new[f"{name}__scale_1"]
        assert (same.sum(), same.size) == (served, channels)
        assert served > 0.9 * channels
    errors = [output_errors(tuned, made.model, graphs.id_feeds())["y"] for made in (anew, kept)]
    assert errors[1] < 1.2 * errors[0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.sampled_from([0.0, 0.001, 0.02, 0.3]), st.floats(0.25, 4.0))
def test_no_channel_is_much_worse_for_an_earlier_scale(seed, by, larger):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((32, 6))
    own = (np.abs(values).max(axis=0) / 127).astype(np.float32)
    earlier = (own * larger * (1 + by * rng.standard_normal(6))).astype(np.float32)
    kept = kept_scales(values, own, earlier, axis=1)

    def error(scale):
        found = restored(to_codes(values, scale.astype(np.float64), 127), scale)
        return np.square(found - values).sum(axis=0)

    assert (error(earlier) <= 1.001 * WORSE * error(own))[kept].all()
    assert kept_scales(values, own, own, axis=1).all()
    useless = np.array([0, -1, np.nan, np.inf, 1e9, 1e-9], np.float32)
    assert not kept_scales(values, own, useless, axis=1).any()


def test_a_weight_that_has_grown_or_is_another_gets_scales_of_its_own():
    made = graphs.perceptron()
    before = quantize(made, "w8").model
    (grown,) = (item for item in made.graph.initializer if item.name == "w2")
    grown.CopyFrom(graphs.constant("w2", 3 * numpy_helper.to_array(grown)))
    again = quantize(made, "w8", earlier=before)
    assert sorted(again.kept.values()) == [(0, 64), (128, 128)]
    other = quantize(graphs.perceptron(width=32), "w8", earlier=before)
    assert {served for served, _ in other.kept.values()} == {0}


def test_a_part_is_made_with_the_scales_of_an_earlier_one_and_says_how_many(tmp_path):
    before = quantize(graphs.perceptron(), "w8").model
    tuned = trained_on(graphs.perceptron(), by=1.0, only=["w2"])
    said = []
    recipe = Recipe(profile={"T": (1, 4, 16)}, gate=Gate("y", "l1", 0.02))
    part = make_part(
        "head", tmp_path, lambda to: onnx.save(tuned, to), "w8", recipe, graphs.id_feeds(),
        earlier=before, said=said.append,
    )  # fmt: skip
    assert part.figures["gate.head.l1"] < 0.02
    (line,) = said
    assert re.fullmatch(r"head: \d+ of 192 scales kept; others in w2", line)
