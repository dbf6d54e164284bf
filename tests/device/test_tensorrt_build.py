"""TensorRT's parser and builder, stood for by TensorRT-RTX, which builds without a GPU."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from device.bundle import BundlePart
from device.engine.contract import EngineSpec
from device.engine.tensorrt_build import EngineBuildError, build
from device.engine.tensorrt_load import load_plan
from device.errors import EngineLoadError
from model_export.onnx_graph import tensor_specs
from model_export.quantize import quantize
from tests.device import graphs

pytestmark = [
    pytest.mark.rtx,
    pytest.mark.skipif(
        importlib.util.find_spec("tensorrt_rtx") is None, reason="tensorrt-rtx is not installed"
    ),
]
SM = 86  # the generation next to Orin's 87, which RTX does not list
PROFILE = {"T": (1, 1, 64), "P": (0, 64, 256)}


@pytest.fixture(scope="module")
def trt():
    return importlib.import_module("tensorrt_rtx")


def part(directory, made, profile=PROFILE):
    """An unchecked part: graphs that TensorRT must refuse cannot be packed."""
    inputs, outputs, state = tensor_specs(made)
    spec = EngineSpec(
        part="lm",
        inputs=inputs,
        outputs=outputs,
        state=state,
        precision="w8a8",
        sha256="0" * 64,
        profile=profile,
    )
    return BundlePart("lm", graphs.save(made, directory / "lm.onnx"), spec)


def attention_feeds():
    rng = np.random.default_rng(0)
    return [
        {
            "x": rng.standard_normal((4, 8), np.float32),
            "mask": graphs.causal_mask(0, 4),
            "past_k_0": np.zeros((0, 1, 8), np.float32),
            "past_v_0": np.zeros((0, 1, 8), np.float32),
        }
    ]


GRAPHS = {
    "fp32": graphs.perceptron,
    "fp16": lambda: graphs.perceptron(dtype=np.float16, opset=19),
    "w8": lambda: quantize(graphs.perceptron(), "w8", embeddings=["table"]).model,
    "w4": lambda: quantize(graphs.perceptron(width=128), "w4").model,
    "w8a8": lambda: quantize(graphs.perceptron(), "w8a8", feeds=graphs.id_feeds()).model,
    "w8a8 fp16": lambda: (
        quantize(
            graphs.perceptron(dtype=np.float16, opset=19), "w8a8", feeds=graphs.id_feeds()
        ).model
    ),
    "attention w8a8": lambda: quantize(graphs.attention(), "w8a8", feeds=attention_feeds()).model,
    "convolution": graphs.convolution,
    "convolution w8": lambda: quantize(graphs.convolution(), "w8", op_types=["Conv"]).model,
}


@pytest.mark.parametrize("name", GRAPHS)
def test_our_graphs_build(trt, tmp_path, name):
    built = build(trt, part(tmp_path, GRAPHS[name]()), sm=SM)
    assert len(built.plan) > 1000


def one_node(op, inputs, constants, out_type=TensorProto.FLOAT, **attributes):
    node = helper.make_node(op, inputs, ["y"], "culprit", **attributes)
    return graphs.model(
        [node], [graphs.value("x", ["T", 8])], [graphs.value("y", ["T", "K"], out_type)], constants
    )


def test_a_zero_point_is_refused_by_name(trt, tmp_path):
    constants = [graphs.constant("s", np.float32(0.1)), graphs.constant("z", np.int8(3))]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], "culprit"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], "after"),
    ]
    made = graphs.model(
        nodes, [graphs.value("x", ["T", 8])], [graphs.value("y", ["T", 8])], constants
    )
    with pytest.raises(EngineBuildError, match=r"[Zz]ero.point") as caught:
        build(trt, part(tmp_path, made), sm=SM)
    assert caught.value.part == "lm"
    assert caught.value.op == "QuantizeLinear"
    assert "culprit" in caught.value.node


def test_an_op_that_tensorrt_lacks_is_named(trt, tmp_path):
    made = one_node("NonZero", ["x"], [], TensorProto.INT64)
    with pytest.raises(EngineBuildError) as caught:
        build(trt, part(tmp_path, made), sm=SM)
    assert caught.value.op == "NonZero"
    assert "culprit" in caught.value.node
    assert caught.value.log


def test_a_profile_without_a_size(trt, tmp_path):
    with pytest.raises(EngineBuildError, match="the profile lacks a size: the dim 'T'"):
        build(trt, part(tmp_path, graphs.perceptron(), {"P": (0, 1, 2)}), sm=SM)


def test_a_profile_out_of_order(trt, tmp_path):
    with pytest.raises(EngineBuildError):
        build(trt, part(tmp_path, graphs.perceptron(), {"T": (9, 4, 2)}), sm=SM)


def test_a_generation_that_cannot_be_built_for(trt, tmp_path):
    with pytest.raises(EngineBuildError, match="cannot build for SM87"):
        build(trt, part(tmp_path, graphs.perceptron()), sm=87)


def test_a_file_that_is_no_graph(trt, tmp_path):
    broken = part(tmp_path, graphs.perceptron())
    broken.path.write_bytes(b"not a graph")
    with pytest.raises(EngineBuildError, match="part 'lm'"):
        build(trt, broken, sm=SM)


def test_too_many_of_top_k(trt, tmp_path):
    nodes = [
        helper.make_node("TopK", ["x", "k"], ["y", "at"], "culprit"),
    ]
    made = graphs.model(
        nodes,
        [graphs.value("x", ["T", 8192])],
        [graphs.value("y", ["T", 4096])],
        [graphs.constant("k", np.array([4096], np.int64))],
    )
    with pytest.raises(EngineBuildError, match="3840") as caught:
        build(trt, part(tmp_path, made), sm=SM)
    assert (caught.value.op, caught.value.node) == ("TopK", "culprit")
    assert caught.value.log


def test_a_fourier_transform_is_named(trt, tmp_path):
    node = helper.make_node("DFT", ["x"], ["y"], "culprit", axis=1)
    ends = [graphs.value("x", [1, 8, 1])], [graphs.value("y", [1, 8, 2])]
    with pytest.raises(EngineBuildError, match="Plugin not found") as caught:
        build(trt, part(tmp_path, graphs.model([node], *ends, [])), sm=SM)
    assert (caught.value.op, caught.value.node) == ("DFT", "culprit")


def test_onnx_runtimes_own_product_of_nibbles_is_named(trt, tmp_path):
    node = helper.make_node(
        "MatMulNBits", ["x", "w", "s"], ["y"], "culprit", domain="com.microsoft",
        K=32, N=8, bits=4, block_size=32,
    )  # fmt: skip
    constants = [graphs.constant("w", np.zeros((8, 1, 16), np.uint8))]
    constants += [graphs.constant("s", np.ones(8, np.float32))]
    ends = [graphs.value("x", ["T", 32])], [graphs.value("y", ["T", 8])]
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    made = helper.make_model(
        helper.make_graph([node], "tiny", *ends, constants), opset_imports=opsets, ir_version=10
    )
    with pytest.raises(EngineBuildError) as caught:
        build(trt, part(tmp_path, made), sm=SM)
    assert (caught.value.op, caught.value.node) == ("MatMulNBits", "culprit")


def test_the_layers_are_counted_by_what_they_make(trt, tmp_path):
    made = quantize(graphs.perceptron(), "w8a8", feeds=graphs.id_feeds()).model
    layers = build(trt, part(tmp_path, made), sm=SM).layers
    assert layers["INT8"] == 4  # two activations and two weights
    assert layers["FLOAT"] > 4


def test_without_a_driver_a_plan_is_refused_with_what_tensorrt_said(trt, tmp_path):
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    made = part(tmp_path, graphs.perceptron())
    plan = tmp_path / "lm.plan"
    plan.write_bytes(build(trt, made, sm=SM).plan)
    with pytest.raises(EngineLoadError, match=r"lm\.plan: .*CUDA.*build it again"):
        load_plan(trt, made.spec, plan)


COLLECTS_WHILE_LOGGING = """
import gc, importlib, sys
from pathlib import Path
from device.engine.tensorrt_build import EngineBuildError, build
from device.engine.tensorrt_load import EngineLoadError, load_plan
from tests.device import graphs
from tests.device.test_tensorrt_build import part

class Module:
    # TensorRT-RTX, but when the logger looks at a severity, a collection is due.
    def __init__(self):
        self.real, self.asked = importlib.import_module("tensorrt_rtx"), 0
    def __getattr__(self, name):
        if name == "ILogger":
            self.asked += 1
            if self.asked > 2 and gc.isenabled():  # twice to make the logger, then to log
                gc.collect()
        return getattr(self.real, name)

gc.set_threshold(0)  # none but those of the logger
folders = [Path(sys.argv[2]) / name for name in ("refused", "built")]
for folder in folders:
    folder.mkdir()
sound = part(folders[1], graphs.perceptron())
if sys.argv[1] == "load":
    plan = folders[1] / "lm.plan"
    plan.write_bytes(build(importlib.import_module("tensorrt_rtx"), sound, sm=86).plan)
try:
    build(Module(), part(folders[0], graphs.perceptron(), {"P": (0, 1, 2)}), sm=86)
except EngineBuildError as error:
    held = [error]
    held.append(held)  # a cycle, as whoever keeps an error makes easily
    del held
if sys.argv[1] == "build":
    build(Module(), sound, sm=86)
else:
    try:
        load_plan(Module(), sound.spec, plan)
    except EngineLoadError as error:
        assert "CUDA" in str(error), error  # there is no driver, and it was said
"""


@pytest.mark.parametrize("what", ["build", "load"])
def test_garbage_of_a_refused_build_does_not_hold_up_the_next(tmp_path, what):
    """Freed from within TensorRT's own logger, a builder waits for a lock forever."""
    done = subprocess.run(
        [sys.executable, "-c", COLLECTS_WHILE_LOGGING, what, str(tmp_path)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
