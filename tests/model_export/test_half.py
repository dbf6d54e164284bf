"""Mixed precision: which tensors become fp16, and that the answers stay the same."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from model_export.half import to_half
from model_export.lint import lint
from model_export.onnx_graph import ExportError, tensor_specs
from model_export.quantize import quantize
from tests.device import graphs


def run(made, feeds):
    session = ort.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(
        zip([item.name for item in session.get_outputs()], session.run(None, feeds), strict=True)
    )


def attention_feeds(past=3, new=2, dtype=np.float32):
    rng = np.random.default_rng(0)
    caches = {f"past_{c}_0": rng.standard_normal((past, 1, 8)).astype(dtype) for c in "kv"}
    x = rng.standard_normal((new, 8)).astype(np.float32)
    return {"x": x, "mask": graphs.causal_mask(past, new), **caches}


def test_caches_become_half_and_other_inputs_and_outputs_stay():
    made = to_half(graphs.attention())
    inputs, outputs, state = tensor_specs(made)
    assert {spec.dtype for spec in state} == {"f16"}
    assert {spec.dtype for spec in inputs + outputs} == {"f32"}
    assert lint(made) == []


def test_the_answers_stay_within_the_rounding_of_half_floats():
    whole = run(graphs.attention(), attention_feeds())
    half = run(to_half(graphs.attention()), attention_feeds(dtype=np.float16))
    for name, values in whole.items():
        np.testing.assert_allclose(half[name], values, atol=3e-3)
        assert (half[name] != values).any()  # it was computed in another precision


def test_products_take_half_floats_and_sums_do_not():
    made = to_half(graphs.perceptron())
    stored = {item.name: item.data_type for item in made.graph.initializer}
    assert stored["w2__f16"] == TensorProto.FLOAT16
    assert "w2" not in stored
    assert stored["table"] == TensorProto.FLOAT
    kept = to_half(graphs.perceptron(), keep=["down"], tables=["table"])
    stored = {item.name: item.data_type for item in kept.graph.initializer}
    assert stored["w2"] == TensorProto.FLOAT
    assert stored["table__f16"] == TensorProto.FLOAT16


@pytest.mark.parametrize("mode", ["w8", "w8a8", "w4"])
def test_quantised_products_too(mode):
    width = 128
    small = quantize(graphs.perceptron(width=width), mode, feeds=graphs.id_feeds()).model
    half = to_half(small)
    scales = [item for item in half.graph.initializer if "scale" in item.name]
    assert scales
    assert {item.data_type for item in scales} == {TensorProto.FLOAT16}
    assert lint(half) == []
    feeds = graphs.id_feeds(1)[0]
    a, b = run(small, feeds)["y"], run(half, feeds)["y"]
    assert np.linalg.norm(a - b) < 0.02 * np.linalg.norm(a)


def test_phases_that_are_computed_by_products_stay_exact():
    made = to_half(graphs.attention(), constant_only=True)
    _, _, state = tensor_specs(made)
    assert {spec.dtype for spec in state} == {"f32"}
    kinds = {node.name: len(node.input) for node in made.graph.node if node.op_type == "MatMul"}
    assert kinds.keys() == {"k_proj", "v_proj", "scores", "mix"}
    halves = {node.output[0] for node in made.graph.node if node.op_type == "Cast"}
    assert not any("scores" in name for name in halves)


def test_the_square_of_a_norm_does_not_overflow():
    """300² is beyond fp16; were the sum of squares half, the answer would be 0 or nan."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "first"),
        helper.make_node("Mul", ["h", "h"], ["square"], "square"),
        helper.make_node("ReduceMean", ["square", "last"], ["mean"], "mean"),
        helper.make_node("Sqrt", ["mean"], ["y"], "root"),
    ]
    constants = [
        graphs.constant("w", 300 * np.eye(8, dtype=np.float32)),
        graphs.constant("last", np.array([-1], np.int64)),
    ]
    ends = [graphs.value("x", ["T", 8])], [graphs.value("y", ["T", 1])]
    made = graphs.model(nodes, *ends, constants)
    found = run(to_half(made), {"x": np.ones((1, 8), np.float32)})["y"]
    np.testing.assert_allclose(found, 300.0, rtol=1e-3)


def test_a_weight_beyond_half_floats_is_named():
    made = graphs.perceptron()
    made.graph.initializer[3].CopyFrom(graphs.constant("w2", np.full((128, 64), 1e6, "f4")))
    with pytest.raises(ExportError, match="w2: has values beyond fp16"):
        to_half(made)
    with pytest.raises(ExportError, match="keep: 'nothing' fits nothing"):
        to_half(made, keep=["nothing"])


def test_an_output_that_is_also_read_inside_keeps_its_name():
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"], "first"),
        helper.make_node("MatMul", ["y", "w"], ["z"], "second"),
    ]
    ends = [graphs.value("x", ["T", 8])], [graphs.value("y", ["T", 8]), graphs.value("z", ["T", 8])]
    made = graphs.model(nodes, *ends, [graphs.constant("w", graphs.weights(8, 8))])
    half = to_half(made)
    onnx.checker.check_model(half, full_check=True)
    x = np.random.default_rng(0).standard_normal((2, 8)).astype(np.float32)
    w = numpy_helper.to_array(made.graph.initializer[0])
    found = run(half, {"x": x})
    np.testing.assert_allclose(found["y"], x @ w, atol=5e-3)
    np.testing.assert_allclose(found["z"], x @ w @ w, atol=1e-2)
