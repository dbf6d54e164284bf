"""The language model at its published width, as a shape: no weight is made or read.

Two of forty layers, for tracing all of them takes a minute and a half and says nothing more: every
layer is the same. Bytes are those of the published depth.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import onnx
import pytest

from device.engine.graph_facts import tensor_bytes
from model_export import lint
from model_export.families.glm_4_voice.lm import PUBLISHED
from model_export.families.glm_layers import Calibration
from model_export.families.glm_stream import Plan, structured, traced
from model_export.onnx_graph import opset_of, tensor_specs
from model_export.placeholders import is_placeholder, note
from services.plan.estimate import Precision, step_gb
from services.plan.families import FAMILIES

LAYERS = 2
PLANS = {
    "fp16": Plan("fp16"),
    "int8": Plan("int8"),
    "int4": Plan("int4"),
    "int4, int8 head": Plan("int4", head="int8"),
}


@pytest.fixture(scope="module")
def shape() -> onnx.ModelProto:
    """Traced once, at the opset of int4, in which the others can be said, too."""
    return traced(replace(PUBLISHED.glm(), layers=LAYERS), Plan("int4"))


def made(shape: onnx.ModelProto, plan: Plan) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(shape)
    ranges = defaultdict(lambda: np.ones(1, np.float32)) if plan.wanted == "int8" else {}
    return structured(copy, plan, Calibration(channels=ranges))


def stored_gb(model: onnx.ModelProto) -> dict[str, float]:
    """10^9 bytes by what they are of; a layer's stand for forty."""
    found: dict[str, float] = defaultdict(float)
    for item in model.graph.initializer:
        key = note(item)[0] if is_placeholder(item) else "layers"  # zero-points, small constants
        place = key.partition(".")[0]
        found[place] += tensor_bytes(item) / 1e9
    found["layers"] *= PUBLISHED.num_layers / LAYERS
    return found


@pytest.mark.parametrize(
    ("plan", "gb"),
    # Of the published table; its int4 has a zero-point of 16 bits a group, and ours of four.
    [("fp16", 19.09), ("int8", 10.24), ("int4", 7.10), ("int4, int8 head", 6.41)],
)
def test_it_is_stored_in_the_bytes_that_were_planned(
    shape: onnx.ModelProto, plan: str, gb: float
) -> None:
    found = stored_gb(made(shape, PLANS[plan]))
    assert sum(found.values()) == pytest.approx(gb, rel=0.02)


@pytest.mark.parametrize("precision", ["fp16", "int8", "int4"])
def test_a_step_reads_what_linnet_plan_says(shape: onnx.ModelProto, precision: Precision) -> None:
    found = stored_gb(made(shape, PLANS[precision]))
    read = sum(found.values()) - found["word_embeddings"]
    assert read == pytest.approx(step_gb(FAMILIES["glm-4-voice"].main, precision), rel=0.01)


def test_every_layer_is_in_int4_and_no_operator_is_foreign(shape: onnx.ModelProto) -> None:
    model = made(shape, PLANS["int4"])
    assert {node.op_type for node in model.graph.node} <= lint.ALLOWED_OPS
    assert opset_of(model) == lint.MAX_OPSET_INT4
    inputs, outputs, state = tensor_specs(model)
    assert [item.name for item in inputs] == ["ids", "position_ids", "mask", "rows"]
    assert [item.dims[-1] for item in outputs] == [PUBLISHED.padded_vocab_size]
    assert {item.dims for item in state} == {("P", 2, 128)}
    int4 = [item for item in model.graph.initializer if is_placeholder(item)]
    linear = [note(item)[0] for item in int4 if note(item)[1] == "int4"]
    assert len(linear) == len(set(linear)) == 4 * LAYERS
