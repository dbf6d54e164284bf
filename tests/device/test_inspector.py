"""What TensorRT's inspector says, read: which layers really run in INT8."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.engine.graph_facts import bytes_read, quantised_linears
from device.engine.inspector import by_type, int8_share, read_layers
from device.errors import EngineLoadError
from model_export.quantize import quantize
from tests.device import graphs


def layer(name, kinds, nodes=(), key="Format/Datatype"):
    return {
        "Name": name,
        "LayerType": "gemm",
        "Inputs": [{"Name": "x", key: kind} for kind in kinds],
        "Metadata": "\x1e".join(f"[ONNX Layer: {node}]" for node in nodes),
    }


def said(*layers):
    return json.dumps({"Layers": list(layers), "Bindings": []})


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Int8", "int8"),
        ("Thirty-two wide channel vectorized row major Int8 format", "int8"),
        ("Half", "fp16"),
        ("Row major linear FP16 format", "fp16"),
        ("Float", "fp32"),
        ("Row major linear FP32", "fp32"),
        ("Int64", "int64"),
        ("N/A due to dynamic shapes", "unknown"),
    ],
)
def test_words_for_types_of_several_versions(words, kind):
    assert read_layers(said(layer("a", [words])), "plan")[0].inputs == (kind,)
    assert read_layers(said(layer("a", [words], key="Datatype")), "plan")[0].inputs == (kind,)


def test_a_linear_node_counts_when_its_layer_reads_int8():
    layers = read_layers(
        said(
            layer("fused", ["Int8", "Float"], ["q_proj", "k_proj"]),
            layer("slow", ["Half"], ["o_proj"]),
            layer("mix", ["Half"], ["attention"]),
        ),
        "plan",
    )
    found = int8_share(layers, {"q_proj", "k_proj", "o_proj", "never_seen"})
    assert (found.found, found.wanted, found.share) == (2, 4, 0.5)
    assert found.others == ("never_seen", "o_proj")
    assert by_type(layers) == {"int8": 1, "fp16": 2}
    assert int8_share(layers, ()).share == 1.0


def test_a_plan_without_details_is_told_apart_from_no_json():
    with pytest.raises(EngineLoadError, match="without details"):
        read_layers(json.dumps({"Layers": ["a + b", "c"]}), "plan of lm")
    for text in ("", "[]", "{}", "null", '{"Layers": '):
        with pytest.raises(EngineLoadError, match="nothing readable"):
            read_layers(text, "plan of lm")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)
fields = st.sampled_from(["Name", "LayerType", "Inputs", "Metadata", "Datatype"])


@given(st.lists(st.dictionaries(fields, json_values, max_size=5), max_size=4))
def test_whatever_stands_in_a_layer_is_read_or_refused(layers):
    found = read_layers(json.dumps({"Layers": layers}), "plan")
    assert len(found) == len(layers)
    assert sum(by_type(found).values()) == len(layers)


def test_quantised_layers_of_a_graph_are_those_with_int8_on_both_sides(tmp_path):
    full = quantize(graphs.perceptron(), "w8a8", feeds=graphs.id_feeds()).model
    assert quantised_linears(graphs.save(full, tmp_path / "full")) == {"up", "down"}
    weights = quantize(graphs.perceptron(), "w8").model
    assert quantised_linears(graphs.save(weights, tmp_path / "weights")) == frozenset()
    assert quantised_linears(graphs.save(graphs.perceptron(), tmp_path / "float")) == frozenset()


def test_a_step_reads_all_weights_but_the_embedding(tmp_path):
    floats = bytes_read(graphs.save(graphs.perceptron(64), tmp_path / "float"))
    assert floats == 4 * (2 * 128 * 64 + 128)
    full = quantize(graphs.perceptron(64), "w8a8", feeds=graphs.id_feeds()).model
    assert 2 * 128 * 64 <= bytes_read(graphs.save(full, tmp_path / "full")) < floats / 2
