"""Engines and their state: validation on load, streaming, and the uint8 rewrite."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from device.bundle import Bundle, WrongShape
from device.engine import x86_uint8
from device.engine.contract import TensorSpec
from device.engine.factory import EngineFactory
from device.engine.onnx_cpu import OnnxCpuEngine, _options, _session
from device.engine.states import EngineState, KVCache
from device.errors import (
    BadFeed,
    EngineLoadError,
    EngineRunError,
    EngineUnavailable,
    StateError,
)
from model_export.pack import PartSource, pack
from model_export.quantize import quantize
from tests.device import graphs

WIDTH = graphs.WIDTH
unhurried = settings(deadline=None, max_examples=40)  # other work shares this machine


def packed(directory, made, precision="fp32", name="part"):
    """A verified part holding graph ``made``."""
    source = graphs.save(made, directory / "source.onnx")
    bundle = pack(directory / "bundle", graphs.head(), {name: PartSource(source, precision)}, {})
    return bundle.part(name)


@pytest.fixture(scope="module")
def attention(tmp_path_factory):
    return OnnxCpuEngine(packed(tmp_path_factory.mktemp("attention"), graphs.attention()))


@pytest.fixture(scope="module")
def convolution(tmp_path_factory):
    return OnnxCpuEngine(packed(tmp_path_factory.mktemp("conv"), graphs.convolution()))


def chunks(sizes, total):
    """Cut 0..total into pieces of these sizes, the last one taking the rest."""
    start = 0
    for size in [*sizes, total]:
        end = min(total, start + size)
        if end > start:
            yield start, end
        start = end


# Streaming is a state, not a second path.


def attend(engine, x, sizes):
    state = engine.new_state(len(x))
    rows = []
    for start, end in chunks(sizes, len(x)):
        feeds = {"x": x[start:end], "mask": graphs.causal_mask(start, end - start)}
        outputs = engine.run(feeds, state)
        assert outputs.keys() == {"y"}
        rows.append(outputs["y"])
    return np.concatenate(rows)


@unhurried
@given(st.lists(st.integers(1, 7), max_size=12))
def test_chunked_attention_equals_whole(attention, sizes):
    x = graphs.weights(20, WIDTH, seed=9)
    np.testing.assert_allclose(attend(attention, x, sizes), attend(attention, x, []), atol=1e-6)


@unhurried
@given(st.lists(st.integers(1, 7), max_size=12))
def test_chunked_convolution_equals_whole(convolution, sizes):
    x = graphs.weights(1, 4, 30, seed=9)
    whole = convolution.run({"x": x}, convolution.new_state(1))["y"]
    state = convolution.new_state(1)
    pieces = [
        convolution.run({"x": x[:, :, start:end]}, state)["y"] for start, end in chunks(sizes, 30)
    ]
    np.testing.assert_allclose(np.concatenate(pieces, axis=2), whole, atol=1e-6)


def test_a_cut_history_goes_on_as_if_the_rest_was_never_said(attention):
    x = graphs.weights(6, WIDTH, seed=9)
    state = attention.new_state(32)
    attention.run({"x": x[:4], "mask": graphs.causal_mask(0, 4)}, state)
    attention.run({"x": -x[:2], "mask": graphs.causal_mask(4, 2)}, state)
    state.cache.truncate(4)
    again = attention.run({"x": x[4:], "mask": graphs.causal_mask(4, 2)}, state)["y"]
    np.testing.assert_allclose(again, attend(attention, x, [])[4:], atol=1e-6)


def test_reset_is_a_new_state(convolution):
    x = graphs.weights(1, 4, 5, seed=9)
    state = convolution.new_state(1)
    first = convolution.run({"x": x}, state)["y"]
    state.reset()
    assert np.array_equal(convolution.run({"x": x}, state)["y"], first)


def test_a_failed_run_leaves_the_state_as_it_was(attention):
    x = graphs.weights(3, WIDTH, seed=9)
    state = attention.new_state(4)
    attention.run({"x": x, "mask": graphs.causal_mask(0, 3)}, state)
    before = state.cache.view("past_k_0").copy()
    with pytest.raises(StateError, match=r"3 rows and 2 more exceed 4; shorten the history"):
        attention.run({"x": x[:2], "mask": graphs.causal_mask(3, 2)}, state)
    with pytest.raises(EngineRunError):
        attention.run({"x": x[:1], "mask": graphs.causal_mask(9, 1)}, state)
    assert state.cache.length == 3
    assert np.array_equal(state.cache.view("past_k_0"), before)


# The cache against a plain list of rows.

CACHE = (
    TensorSpec(name="past_k", dtype="f32", dims=("P", 2, 3)),
    TensorSpec(name="past_v", dtype="f32", dims=("P", 3)),
)


@unhurried
@given(
    st.lists(
        st.tuples(st.just("append"), st.integers(0, 5))
        | st.tuples(st.just("truncate"), st.integers(-1, 12))
        | st.tuples(st.just("reset"), st.just(0)),
        max_size=20,
    )
)
def test_the_cache_behaves_like_a_list(steps):
    cache, expected, counter = KVCache(CACHE, 10), [], 0
    for step, number in steps:
        if step == "append":
            new = [counter + index for index in range(number)]
            counter += number
            numbers = np.array(new, np.float32)
            rows = {
                "new_k": np.broadcast_to(numbers[:, None, None], (number, 2, 3)),
                "new_v": np.broadcast_to(-numbers[:, None], (number, 3)),
            }
            if len(expected) + number > 10:
                with pytest.raises(StateError):
                    cache.append(rows)
            else:
                cache.append(rows)
                expected += new
        elif step == "truncate":
            if not 0 <= number <= len(expected):
                with pytest.raises(StateError):
                    cache.truncate(number)
            else:
                cache.truncate(number)
                expected = expected[:number]
        else:
            cache.reset()
            expected = []
        feeds = cache.feeds()
        assert cache.length == len(expected)
        assert feeds["past_k"].shape == (len(expected), 2, 3)
        assert np.array_equal(feeds["past_k"][:, 1, 2], expected)
        assert np.array_equal(-feeds["past_v"][:, 0], expected)


@unhurried
@given(
    st.integers(1, 6),
    st.integers(0, 8),
    st.lists(st.integers(0, 4), max_size=30),
)
def test_a_window_feeds_the_last_rows_for_ever(window, spare, sizes):
    cache = KVCache(CACHE, window + spare, window)
    everything = []
    for number in sizes:
        new = np.arange(len(everything), len(everything) + number, dtype=np.float32)
        rows = {
            "new_k": np.broadcast_to(new[:, None, None], (number, 2, 3)),
            "new_v": np.broadcast_to(-new[:, None], (number, 3)),
        }
        if cache.fed + number > window + spare:
            before = cache.feeds()["past_k"].copy()
            with pytest.raises(StateError):
                cache.append(rows)
            assert np.array_equal(cache.feeds()["past_k"], before)
            continue
        cache.append(rows)
        everything += new.tolist()
        fed = cache.feeds()
        assert len(fed["past_k"]) == cache.fed
        assert np.array_equal(fed["past_k"][:, 0, 0], everything[-window:])
        assert np.array_equal(-fed["past_v"][:, 0], everything[-window:])
        assert fed["past_k"].flags.c_contiguous


@pytest.mark.parametrize(("max_len", "window"), [(0, None), (4, 5), (4, 0), (4, -1)])
def test_a_cache_that_cannot_be(max_len, window):
    with pytest.raises(StateError):
        KVCache(CACHE, max_len, window)


def test_the_cache_feeds_views_and_starts_finite():
    cache = KVCache(CACHE, 10)
    cache.append({"new_k": np.ones((2, 2, 3), np.float32), "new_v": np.ones((2, 3), np.float32)})
    view = cache.view("past_k")
    assert view.flags.c_contiguous
    assert view.base is not None
    assert np.shares_memory(view, cache.view("past_k", 8))
    assert not cache.view("past_k", 8)[2:].any()


@pytest.mark.parametrize(
    "rows",
    [
        {"new_k": np.ones((2, 2, 3), np.float32)},
        {"new_k": np.ones((2, 2, 3), np.float32), "new_v": np.ones((1, 3), np.float32)},
        {"new_k": np.ones((2, 2, 3), np.float32), "new_v": np.ones((2, 4), np.float32)},
        {"new_k": np.ones((2, 2, 3), np.float32), "new_v": np.ones((2, 3), np.float64)},
    ],
)
def test_rows_that_do_not_fit_change_nothing(rows):
    cache = KVCache(CACHE, 10)
    with pytest.raises(StateError):
        cache.append(rows)
    assert cache.length == 0
    assert not cache.view("past_k", 10).any()


def test_caches_and_tails_move_together_or_not_at_all():
    tail = TensorSpec(name="tail", dtype="f32", dims=(2,))
    state = EngineState([CACHE[1], tail], 1)
    with pytest.raises(StateError):
        state.absorb({"new_v": np.ones((1, 3), np.float32), "tail_out": np.ones(3, np.float32)})
    with pytest.raises(StateError):
        state.absorb({"new_v": np.ones((2, 3), np.float32), "tail_out": np.ones(2, np.float32)})
    assert state.cache.length == 0
    assert not state.feeds()["tail"].any()


# What is fed, and what the graph says.


@pytest.mark.parametrize(
    ("feeds", "complaint"),
    [
        ({"x": np.zeros((1, 4, 5), np.float32)}, r"\['tail'\] too little"),
        (
            {
                "x": np.zeros((1, 4, 5), np.float32),
                "tail": np.zeros((1, 4, 2), np.float32),
                "y": np.zeros(1),
            },
            r"\['y'\] too much",
        ),
        (
            {"x": np.zeros((1, 4, 5)), "tail": np.zeros((1, 4, 2), np.float32)},
            r"x: is float64\[1, 4, 5\], not float32\[1, 4, 'T'\]",
        ),
        (
            {"x": np.zeros((1, 5, 5), np.float32), "tail": np.zeros((1, 4, 2), np.float32)},
            "x: is float32",
        ),
        (
            {"x": np.zeros((4, 5), np.float32), "tail": np.zeros((1, 4, 2), np.float32)},
            "x: is float32",
        ),
    ],
)
def test_a_wrong_feed_is_named(convolution, feeds, complaint):
    with pytest.raises(BadFeed, match=complaint):
        convolution.run(feeds)


def test_without_a_state_all_outputs_come_back(convolution):
    feeds = {"x": np.ones((1, 4, 5), np.float32), "tail": np.zeros((1, 4, 2), np.float32)}
    assert convolution.run(feeds).keys() == {"y", "tail_out"}


@pytest.mark.parametrize(
    "change",
    [
        lambda part: part["inputs"][0].update(name="z"),
        lambda part: part["inputs"][0].update(dtype="f16"),
        lambda part: part["inputs"][0].update(dims=[1, 4]),
        lambda part: part["inputs"][0].update(dims=[1, 6, "T"]),
        lambda part: part["outputs"].append({"name": "z", "dtype": "f32", "dims": []}),
        lambda part: part["outputs"][0].update(dims=[1, "T"]),
        lambda part: part.update(state=[]),
    ],
)
def test_a_graph_that_is_not_what_the_manifest_says(tmp_path, change):
    packed(tmp_path, graphs.convolution())
    path = tmp_path / "bundle" / "manifest.json"
    data = json.loads(path.read_text())
    change(data["parts"]["part"])
    path.write_text(json.dumps(data))
    with pytest.raises(WrongShape, match=r"part\.onnx: .*; export the bundle again"):
        OnnxCpuEngine(Bundle.open(tmp_path / "bundle").part("part"))


@pytest.mark.parametrize("content", [b"not a graph", b"", b"QuantizeLinear", b"\x08\x07\x12\xff"])
def test_a_file_that_is_no_graph(tmp_path, content):
    part = packed(tmp_path, graphs.convolution())
    part.path.write_bytes(content)
    with pytest.raises(EngineLoadError) as caught:
        OnnxCpuEngine(part)
    assert str(part.path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_warm_up_and_close(tmp_path):
    engine = OnnxCpuEngine(packed(tmp_path, graphs.attention()))
    engine.warm_up({"P": 3, "T": 2})
    with pytest.raises(BadFeed, match="the dim 'T' has no size"):
        engine.warm_up({"P": 3})
    engine.close()
    engine.close()
    with pytest.raises(EngineRunError, match="is closed"):
        engine.warm_up({"P": 3, "T": 2})


def test_an_engine_does_not_spin():
    # Two engines that spun would hold the core after their work; options are what we can ask for.
    options = _options(1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.intra_op_num_threads == 1


# Int8 activations on x86.

x86_only = pytest.mark.skipif(not x86_uint8.is_x86(), reason="the rewrite is for x86")


@pytest.fixture(scope="module")
def w8a8():
    return quantize(graphs.perceptron(), "w8a8", feeds=graphs.id_feeds()).model


def plain_run(made, feeds):
    """Run as written: no graph optimisation, so no fused kernel either."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(made.SerializeToString(), options, ["CPUExecutionProvider"])
    return session.run(None, feeds)[0]


def test_the_rewrite_changes_no_bit(tmp_path, w8a8):
    path = graphs.save(w8a8, tmp_path / "model.onnx")
    data, moved = x86_uint8.rewritten(path)
    made = onnx.load_from_string(data)
    assert moved == 2
    onnx.checker.check_model(made)
    for seed in range(10):
        feeds = graphs.id_feeds(1, 64, seed)[0]
        assert np.array_equal(plain_run(made, feeds), plain_run(w8a8, feeds))


def pair_graph(scale):
    """x[N] through one Q/DQ pair."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    constants = [
        graphs.constant("s", np.float32(scale)),
        graphs.constant("z", np.zeros((), np.int8)),
    ]
    return graphs.model(nodes, [graphs.value("x", ["N"])], [graphs.value("y", ["N"])], constants)


@unhurried
@given(
    st.floats(2.0**-20, 2.0**10, width=32),
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=40),
    st.integers(-130, 130),
)
def test_a_moved_pair_gives_the_same_bits_for_any_value(scale, values, ties):
    # Ties (k + 1/2 steps) are where two roundings could differ.
    x = np.array([*values, (ties + 0.5) * scale, ties * scale], np.float32)
    original = pair_graph(scale)
    moved = pair_graph(scale)
    assert x86_uint8.shift_pairs(moved.graph) == 1
    assert np.array_equal(plain_run(moved, {"x": x}), plain_run(original, {"x": x}))


def test_pairs_that_are_not_plain_are_left_alone(w8a8):
    shared = pair_graph(0.5)  # the int8 tensor has a second reader
    shared.graph.node.append(helper.make_node("Identity", ["q"], ["other"]))
    biased = pair_graph(0.5)
    biased.graph.initializer[1].CopyFrom(graphs.constant("z", np.int8(3)))
    weight = pair_graph(0.5)
    weight.graph.initializer.append(graphs.constant("x", np.ones(3, np.float32)))
    bare = pair_graph(0.5)
    for node in bare.graph.node:
        del node.input[2]
    exposed = pair_graph(0.5)
    exposed.graph.output.append(graphs.value("q", ["N"], onnx.TensorProto.INT8))
    for made in (shared, biased, weight, bare, exposed):
        before = made.SerializeToString()
        assert x86_uint8.shift_pairs(made.graph) == 0
        assert made.SerializeToString() == before


def test_weights_alone_need_no_rewrite(tmp_path, w8a8):
    weights = quantize(graphs.perceptron(), "w8").model
    assert not x86_uint8.has_int8_activations(graphs.save(weights, tmp_path / "w8.onnx"))
    assert x86_uint8.has_int8_activations(graphs.save(w8a8, tmp_path / "w8a8.onnx"))


@x86_only
def test_the_engine_rewrites_in_memory_and_keeps_the_file(tmp_path, w8a8):
    part = packed(tmp_path, w8a8, "w8a8")
    engine = OnnxCpuEngine(part)
    assert engine.moved_to_uint8 == 2
    assert hashlib.sha256(part.path.read_bytes()).hexdigest() == engine.spec.sha256
    feeds = graphs.id_feeds(1, 64)[0]
    as_written = _session(str(part.path), 1, quantised=True)
    assert np.array_equal(engine.run(feeds)["y"], as_written.run(None, feeds)[0])


def test_vnni_is_read_from_the_processor_table(tmp_path):
    table = tmp_path / "cpuinfo"
    assert not x86_uint8.has_vnni(table)
    table.write_text("flags : fpu avx2\n")
    assert not x86_uint8.has_vnni(table)
    table.write_text("flags : fpu avx2 avx512_vnni\n")
    assert x86_uint8.has_vnni(table)


# Which backend.


def test_onnx_by_name(tmp_path, caplog):
    packed(tmp_path, graphs.convolution())
    with caplog.at_level(logging.WARNING):
        engine = EngineFactory("onnx")(Bundle.open(tmp_path / "bundle"), "part")
    assert engine.backend == "onnx"
    assert not caplog.records


def test_auto_falls_back_with_one_warning_that_names_the_reason(tmp_path, caplog):
    packed(tmp_path, graphs.convolution())
    bundle = Bundle.open(tmp_path / "bundle")
    with caplog.at_level(logging.WARNING):
        factory = EngineFactory("auto")
        assert {factory(bundle, "part").backend for _ in range(3)} == {"onnx"}
    assert len(caplog.records) == 1
    assert "TensorRT" in caplog.text


def test_tensorrt_by_name_says_why_not():
    with pytest.raises(
        EngineUnavailable, match=r"backend 'tensorrt': tensorrt cannot be imported.*JetPack"
    ):
        EngineFactory("tensorrt")


def test_unknown_backend_and_threads():
    with pytest.raises(EngineUnavailable, match="is not known; use one of"):
        EngineFactory("cuda")
    with pytest.raises(EngineUnavailable, match="cannot run on 0 threads"):
        EngineFactory("onnx", threads=0)


def test_a_bundle_moved_elsewhere_still_runs(tmp_path):
    packed(tmp_path, graphs.convolution())
    shutil.move(tmp_path / "bundle", tmp_path / "elsewhere")
    engine = EngineFactory("onnx")(Bundle.open(tmp_path / "elsewhere"), "part")
    engine.warm_up({"T": 4})
