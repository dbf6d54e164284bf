"""Small ONNX graphs, made by hand, that stand for the families' parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from device.bundle import Hardware, ManifestHead, Schedule

F32, F16, I64 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64
WIDTH = 8


def value(name, dims, dtype=F32):
    return helper.make_tensor_value_info(name, dtype, dims)


def constant(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def model(nodes, inputs, outputs, constants, opset=18):
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = 10
    onnx.checker.check_model(made)
    return made


def weights(*shape, seed=0, dtype=np.float32):
    scale = 1.0 / np.sqrt(shape[0])
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(dtype)


def attention(width=WIDTH):
    """One causal attention layer with a delta cache: x[T,width], mask[T,P+T] -> y."""
    nodes = [
        helper.make_node("MatMul", ["x", "w_k"], ["k2"], "k_proj"),
        helper.make_node("MatMul", ["x", "w_v"], ["v2"], "v_proj"),
        helper.make_node("Reshape", ["k2", "row"], ["new_k_0"]),
        helper.make_node("Reshape", ["v2", "row"], ["new_v_0"]),
        helper.make_node("Concat", ["past_k_0", "new_k_0"], ["k_all"], axis=0),
        helper.make_node("Concat", ["past_v_0", "new_v_0"], ["v_all"], axis=0),
        helper.make_node("Reshape", ["k_all", "flat"], ["k"]),
        helper.make_node("Reshape", ["v_all", "flat"], ["v"]),
        helper.make_node("Transpose", ["k"], ["k_t"], perm=[1, 0]),
        helper.make_node("MatMul", ["x", "k_t"], ["scores"], "scores"),
        helper.make_node("Add", ["scores", "mask"], ["masked"]),
        helper.make_node("Softmax", ["masked"], ["share"], axis=-1),
        helper.make_node("MatMul", ["share", "v"], ["y"], "mix"),
    ]
    constants = [
        constant("w_k", weights(width, width, seed=1)),
        constant("w_v", weights(width, width, seed=2)),
        constant("row", np.array([-1, 1, width], np.int64)),
        constant("flat", np.array([-1, width], np.int64)),
    ]
    inputs = [value("x", ["T", width]), value("mask", ["T", "P+T"])]
    inputs += [value(f"past_{c}_0", ["P", 1, width]) for c in "kv"]
    outputs = [value("y", ["T", width])]
    outputs += [value(f"new_{c}_0", ["T", 1, width]) for c in "kv"]
    return model(nodes, inputs, outputs, constants)


def causal_mask(past, new):
    """Additive mask [new, past + new]: row i sees past rows and new rows up to i."""
    mask = np.full((new, past + new), -1e4, np.float32)
    for row in range(new):
        mask[row, : past + row + 1] = 0.0
    return mask


def convolution():
    """A causal convolution of kernel 3 that carries its last 2 samples: x[1,4,T] -> y[1,4,T]."""
    nodes = [
        helper.make_node("Concat", ["tail", "x"], ["padded"], axis=2),
        helper.make_node("Conv", ["padded", "kernel"], ["y"], "conv"),
        helper.make_node("Slice", ["padded", "from", "to", "axis"], ["tail_out"]),
    ]
    constants = [
        constant("kernel", weights(4, 4, 3, seed=3)),
        constant("from", np.array([-2], np.int64)),
        constant("to", np.array([2**31 - 1], np.int64)),
        constant("axis", np.array([2], np.int64)),
    ]
    inputs = [value("x", [1, 4, "T"]), value("tail", [1, 4, 2])]
    outputs = [value("y", [1, 4, "T"]), value("tail_out", [1, 4, 2])]
    return model(nodes, inputs, outputs, constants)


def perceptron(width=64, dtype=np.float32, opset=18):
    """Embedding -> Gemm(transB) -> Relu -> MatMul: ids[T] -> y[T,width]."""
    kind = F16 if dtype == np.float16 else F32
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["e"], "embed"),
        helper.make_node("Gemm", ["e", "w1", "b1"], ["h"], "up", transB=1),
        helper.make_node("Relu", ["h"], ["r"], "relu"),
        helper.make_node("MatMul", ["r", "w2"], ["y"], "down"),
    ]
    constants = [
        constant("table", weights(32, width, seed=4, dtype=dtype)),
        constant("w1", weights(2 * width, width, seed=5, dtype=dtype)),
        constant("b1", weights(2 * width, seed=6, dtype=dtype)),
        constant("w2", weights(2 * width, width, seed=7, dtype=dtype)),
    ]
    inputs = [value("ids", ["T"], I64)]
    return model(nodes, inputs, [value("y", ["T", width], kind)], constants, opset)


def id_feeds(count=4, length=16, seed=0):
    rng = np.random.default_rng(seed)
    return [{"ids": rng.integers(0, 32, length)} for _ in range(count)]


def save(made, path: Path) -> Path:
    path.write_bytes(made.SerializeToString())
    return path


def head(**changes) -> ManifestHead:
    fields = {
        "family": "tiny",
        "version": "1.2.3",
        "languages": ("en",),
        "sample_rate_in": 16_000,
        "sample_rate_out": 16_000,
        "schedule": Schedule(text=13, audio=26),
        "licence": "Apache-2.0",
        "notice": "Made for a test.",
        "minimum_runtime": "0.1",
        "hardware": Hardware(memory_mb=64),
        "evaluation": {"call_accuracy.clean": 0.9},
        "config": {"hidden": 8, "phrase": "okay nabu", "rates": (2, 2)},
    }
    return ManifestHead(**{**fields, **changes})
