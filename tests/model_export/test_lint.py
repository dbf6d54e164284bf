"""The lint: a good graph passes, and each rule fires on the smallest graph that breaks it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from model_export.half import to_half
from model_export.lint import LintError, check, lint, warnings
from model_export.onnx_graph import ExportError, strip_traces, tensor_specs
from model_export.quantize import quantize
from tests.device import graphs


def rules(made, spec=None):
    return {finding.rule for finding in lint(made, spec)}


def unary(op, *, opset=18, extra=(), constants=(), **attributes):
    """x[T,8] -> op -> y[T,8]."""
    node = helper.make_node(op, ["x", *extra], ["y"], "the_node", **attributes)
    graph = helper.make_graph(
        [node],
        "tiny",
        [graphs.value("x", ["T", 8])],
        [graphs.value("y", ["T", 8])],
        list(constants),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


@pytest.mark.parametrize(
    "made",
    [
        graphs.attention(),
        graphs.convolution(),
        graphs.perceptron(),
        graphs.perceptron(dtype=np.float16, opset=19),
        quantize(graphs.perceptron(), "w8", embeddings=["table"]).model,
        quantize(graphs.perceptron(), "w8a8", feeds=graphs.id_feeds()).model,
    ],
)
def test_good_graphs_pass(made):
    assert lint(made) == []


@pytest.mark.parametrize(
    ("made", "warned"),
    [
        (graphs.perceptron(), False),
        (quantize(graphs.perceptron(), "w8").model, True),
        (quantize(graphs.convolution(), "w8", op_types=["Conv"]).model, True),
        (quantize(graphs.perceptron(width=128), "w4").model, False),
        (quantize(graphs.perceptron(), "w8a8", feeds=graphs.id_feeds()).model, False),
        (to_half(quantize(graphs.perceptron(), "w8a8", feeds=graphs.id_feeds()).model), False),
        (to_half(quantize(graphs.perceptron(), "w8").model), True),
    ],
)
def test_int8_weights_with_float_inputs_may_be_shipped_with_a_warning(made, warned):
    found = warnings(made)
    assert lint(made) == []
    assert [(item.rule, "may fold them to float" in item.problem) for item in found] == (
        [("weight-only", True)] if warned else []
    )


@pytest.mark.parametrize("op", ["NonZero", "ScatterND", "DFT", "STFT", "Multinomial", "Loop", "If"])
def test_ops_that_some_tensorrt_lacks(op):
    findings = lint(unary(op))
    assert ("op", "the_node") in {(item.rule, item.where) for item in findings}
    assert any(op in item.problem for item in findings)


def test_ops_of_other_domains_are_refused():
    made = unary("MatMulNBits", domain="com.microsoft", K=8, N=8)
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    assert "op" in rules(made)


def test_opsets():
    assert rules(unary("Relu", opset=20)) == set()
    assert rules(unary("Relu", opset=21)) == {"opset"}
    four_bits = helper.make_tensor("w", TensorProto.INT4, [8, 8], b"\x00" * 32, raw=True)
    made = unary("Relu", opset=21, constants=[four_bits])
    assert "opset" not in rules(made)


def test_computed_axes():
    nodes = [
        helper.make_node("Shape", ["x"], ["axes"]),
        helper.make_node("ReduceSum", ["x", "axes"], ["y"], "sum", keepdims=1),
    ]
    made = graphs.model(nodes, [graphs.value("x", ["T", 8])], [graphs.value("y", ["A", "B"])], [])
    assert rules(made) == {"axes"}


def test_nameless_dims_and_foreign_types():
    made = unary("Relu")
    made.graph.input[0].type.tensor_type.shape.dim[0].Clear()
    assert rules(made) == {"interface"}
    made = unary("Relu")
    made.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    made.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    assert rules(made) == {"interface"}


def test_a_manifest_that_differs_from_the_graph():
    from device.engine.contract import EngineSpec

    inputs, outputs, state = tensor_specs(graphs.attention())
    spec = EngineSpec(
        part="lm", inputs=inputs, outputs=outputs, state=state, precision="fp32", sha256="0" * 64
    )
    assert lint(graphs.attention(), spec) == []
    assert rules(graphs.attention(), spec.model_copy(update={"inputs": inputs[:1]})) == {
        "interface"
    }


# Quantisation rules, each as one change to a graph that passes.


def w8a8():
    return quantize(graphs.perceptron(), "w8a8", feeds=graphs.id_feeds()).model


def initializer(made, part):
    return next(item for item in made.graph.initializer if part in item.name)


def swap(made, part, array):
    item = initializer(made, part)
    item.CopyFrom(graphs.constant(item.name, array))


def node(made, op):
    return next(item for item in made.graph.node if item.op_type == op)


def test_a_zero_point_left_out():
    made = w8a8()
    del node(made, "QuantizeLinear").input[2]
    assert "zero-point" in rules(made)


@pytest.mark.parametrize("zero", [np.int8(1), np.uint8(0), np.uint8(128)])
def test_a_zero_point_that_tensorrt_refuses(zero):
    made = w8a8()
    swap(made, "e__zero", zero)
    assert "zero-point" in rules(made)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.inf, np.nan])
def test_a_scale_that_is_no_scale(scale):
    made = w8a8()
    swap(made, "e__scale", np.float32(scale))
    assert rules(made) == {"scale"}


def test_scales_along_the_rows_of_a_matmul():
    made = w8a8()
    weight = next(item for item in made.graph.node if item.name.startswith("w2__DQ"))
    rows = initializer(made, "w2__int8").dims[0]
    weight.attribute[0].i = 0
    swap(made, "w2__scale", np.ones(rows, np.float32))
    swap(made, "w2__zero", np.zeros(rows, np.int8))
    assert rules(made) == {"axis"}


def test_scales_of_a_turned_gemm_lie_on_axis_0():
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["f"], axis=0),
        helper.make_node("Gemm", ["x", "f"], ["y"], transB=1),
    ]
    constants = [
        graphs.constant("w", np.ones((4, 8), np.int8)),
        graphs.constant("s", np.ones(4, np.float32)),
        graphs.constant("z", np.zeros(4, np.int8)),
    ]
    ends = [graphs.value("x", ["T", 8])], [graphs.value("y", ["T", 4])]
    assert rules(graphs.model(nodes, *ends, constants)) == set()
    nodes[1].attribute[0].i = 0
    constants[0] = graphs.constant("w", np.ones((8, 4), np.int8))
    made = helper.make_model(helper.make_graph(nodes, "tiny", *ends, constants), ir_version=10)
    made.opset_import[0].version = 18
    assert "axis" in rules(made)


def test_blocked_int8():
    made = w8a8()
    made.opset_import[0].version = 21
    weight = next(item for item in made.graph.node if item.name.startswith("w2__DQ"))
    weight.attribute.append(helper.make_attribute("block_size", 32))
    assert "block" in rules(made)


def test_check_names_the_file_and_lists_findings(tmp_path):
    path = graphs.save(unary("NonZero"), tmp_path / "bad.onnx")
    with pytest.raises(LintError, match=r"bad\.onnx: \d findings?.*\n.*NonZero") as caught:
        check(path)
    assert caught.value.findings
    (tmp_path / "none.onnx").write_bytes(b"\xff")
    with pytest.raises(ExportError, match=r"none\.onnx: cannot be read"):
        check(tmp_path / "none.onnx")


def test_a_graph_that_is_not_valid_onnx():
    made = graphs.perceptron()
    made.graph.node[1].input[0] = "nothing_makes_this"
    assert "invalid" in rules(made)
    assert isinstance(made, onnx.ModelProto)


def test_a_graph_that_names_files_of_its_exporter_is_not_shipped():
    made = graphs.perceptron()
    trace = made.graph.node[0].metadata_props.add()
    trace.key, trace.value = "pkg.torch.onnx.stack_trace", 'File "somewhere.py"'
    assert rules(made) == {"trace"}
    strip_traces(made)
    assert lint(made) == []
