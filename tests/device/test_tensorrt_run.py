"""The TensorRT backend on a GPU made of numpy: the same answers as on the processor."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.bundle import BundlePart
from device.engine.contract import EngineSpec
from device.engine.onnx_cpu import OnnxCpuEngine
from device.engine.tensorrt_run import TensorRtEngine
from device.errors import BadFeed, CudaError, EngineLoadError, EngineRunError, StateError
from model_export.onnx_graph import tensor_specs
from tests.device import graphs
from tests.support.gpu import FakeBox

PROFILE = {"T": (1, 1, 16), "P": (0, 128, 512)}
WIDE, NARROW = 64, 8  # a row of 256 bytes may be written in place, one of 32 may not


def part_of(directory, made):
    inputs, outputs, state = tensor_specs(made)
    spec = EngineSpec(
        part="lm", inputs=inputs, outputs=outputs, state=state, precision="fp32", sha256="0" * 64
    )
    return BundlePart("lm", graphs.save(made, directory / "lm.onnx"), spec)


@pytest.fixture
def box(tmp_path):
    made = FakeBox(tmp_path)
    yield made
    made.close()


def attention(box, width):
    part = part_of(box.directory, graphs.attention(width))
    return box.open(part, PROFILE), OnnxCpuEngine(part)


def feeds(state, x):
    return {"x": x, "mask": graphs.causal_mask(state.cache.fed, len(x))}


def both_step(pair, states, x):
    """The same step on both; gives both answers."""
    return [
        engine.run(feeds(state, x), state)["y"] for engine, state in zip(pair, states, strict=True)
    ]


@pytest.mark.parametrize("width", [WIDE, NARROW])
@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_any_walk_gives_what_the_processor_gives(tmp_path_factory, width, data):
    box = FakeBox(tmp_path_factory.mktemp("box"))
    pair = attention(box, width)
    window = data.draw(st.sampled_from([None, None, 20]), "window")
    states = [engine.new_state(200, window) for engine in pair]
    rng = np.random.default_rng(0)
    for _ in range(data.draw(st.integers(1, 25), "steps")):
        act = data.draw(st.sampled_from(["one", "one", "one", "many", "cut", "reset"]), "act")
        length = states[0].cache.length
        assert length == states[1].cache.length
        if act == "cut":
            to = data.draw(st.integers(0, length), "to")
            for state in states:
                state.cache.truncate(to)
        elif act == "reset":
            for state in states:
                state.reset()
        elif window is not None or length + 16 <= 200:
            count = 1 if act == "one" else data.draw(st.integers(2, 16), "rows")
            x = rng.standard_normal((count, width), np.float32)
            gpu, cpu = both_step(pair, states, x)
            assert np.allclose(gpu, cpu, atol=1e-5)
    del states
    box.close()


def test_decoding_is_captured_once_for_each_bucket_and_launched_from_then_on(box):
    engine, cpu = attention(box, WIDE)
    states = [engine.new_state(512), cpu.new_state(512)]
    rng = np.random.default_rng(1)
    for _ in range(300):
        x = rng.standard_normal((1, WIDE), np.float32)
        gpu, reference = both_step((engine, cpu), states, x)
        assert np.allclose(gpu, reference, atol=1e-5)
    # 0..128, 129..256, 257..512: the first step of each is eager, the second is captured.
    assert engine.captured == 3
    assert sorted(g.launches for g in box.cuda.graphs) == [300 - 257 - 2, 126, 127]


def test_a_step_is_run_before_it_is_captured_and_nothing_else_is_recorded(box):
    engine, _ = attention(box, WIDE)
    state = engine.new_state(128)
    x = np.ones((1, WIDE), np.float32)
    engine.run(feeds(state, x), state)
    del box.cuda.calls[:]
    engine.run(feeds(state, x), state)
    calls = [
        c for c in box.cuda.calls if c in ("enqueue", "begin_capture", "end_capture", "launch")
    ]
    assert calls == ["enqueue", "begin_capture", "enqueue", "end_capture"]
    del box.cuda.calls[:]
    engine.run(feeds(state, x), state)
    assert "enqueue" not in box.cuda.calls
    # Inputs before the launch; the answer and the wait after it; last the rows to their place.
    order = [c for c in box.cuda.calls if c in ("h2d", "launch", "d2h", "synchronize", "d2d_rows")]
    assert order == ["h2d", "h2d", "launch", "d2h", "synchronize", "d2d_rows"]


def test_new_rows_are_written_where_they_belong_if_tensorrt_takes_the_address(box):
    x = np.ones((3, WIDE), np.float32)
    engine, _ = attention(box, WIDE)
    state = engine.new_state(64)
    engine.run(feeds(state, x), state)
    assert "d2d_rows" not in box.cuda.calls
    narrow, _ = attention(box, NARROW)
    state = narrow.new_state(64)
    for _ in range(2):
        del box.cuda.calls[:]
        narrow.run(feeds(state, x[:, :NARROW]), state)
        narrow.run(feeds(state, x[:2, :NARROW]), state)
    assert "d2d_rows" in box.cuda.calls


def test_a_convolution_carries_its_tail_on_the_device(box):
    part = part_of(box.directory, graphs.convolution())
    engine, cpu = box.open(part, {"T": (1, 8, 64)}), OnnxCpuEngine(part)
    x = np.random.default_rng(2).standard_normal((1, 4, 60), np.float32)
    whole = cpu.run({"x": x}, cpu.new_state(1))["y"]
    state = engine.new_state(1)
    pieces = [engine.run({"x": x[..., i : i + 6]}, state)["y"] for i in range(0, 60, 6)]
    assert np.allclose(np.concatenate(pieces, axis=2), whole, atol=1e-6)
    assert engine.captured == 1
    state.reset()
    again = engine.run({"x": x[..., :6]}, state)["y"]
    assert np.allclose(again, whole[..., :6], atol=1e-6)


def test_state_by_value_comes_and_goes_as_on_the_processor(box):
    engine, cpu = attention(box, NARROW)
    rng = np.random.default_rng(3)
    fed = {
        "x": rng.standard_normal((2, NARROW), np.float32),
        "mask": graphs.causal_mask(5, 2),
        "past_k_0": rng.standard_normal((5, 1, NARROW), np.float32),
        "past_v_0": rng.standard_normal((5, 1, NARROW), np.float32),
    }
    ours, reference = engine.run(fed), cpu.run(fed)
    assert ours.keys() == reference.keys()
    for name, array in reference.items():
        assert np.allclose(ours[name], array, atol=1e-5), name
    uneven = {**fed, "past_v_0": fed["past_v_0"][:4]}
    with pytest.raises(BadFeed, match=r"caches of \[4, 5\] rows"):
        engine.run(uneven)


def test_memory_of_a_dropped_state_serves_the_next_one_and_its_graphs_too(box):
    engine, _ = attention(box, WIDE)
    x = np.ones((1, WIDE), np.float32)
    answers = []
    for _ in range(5):
        state = engine.new_state(128)
        answers.append([engine.run(feeds(state, x), state)["y"] for _ in range(3)])
        held = box.cuda.held["bytes"]
        del state
        gc.collect()
    assert box.cuda.held["bytes"] == held
    assert engine.captured == 1
    assert all(
        np.array_equal(a, b) for got in answers for a, b in zip(got, answers[0], strict=True)
    )


def test_a_state_finds_nothing_of_the_one_before_it(box):
    part = part_of(box.directory, graphs.convolution())
    engine = box.open(part, {"T": (1, 8, 64)})
    loud, quiet = (np.full((1, 4, 6), level, np.float32) for level in (1.0, 0.0))
    engine.run({"x": loud}, engine.new_state(1))
    gc.collect()
    assert not engine.run({"x": quiet}, engine.new_state(1))["y"].any()


def test_warming_up_captures_the_step_that_is_asked_for(box):
    engine, _ = attention(box, WIDE)
    engine.warm_up({"T": 1, "P": 100})
    engine.warm_up({"T": 1, "P": 200})
    assert engine.captured == 2
    gc.collect()
    state = engine.new_state(512)
    engine.run(feeds(state, np.ones((1, WIDE), np.float32)), state)
    assert engine.captured == 2
    assert box.cuda.calls.count("launch") == 1
    with pytest.raises(BadFeed, match="'P'"):
        engine.warm_up({"T": 1})


def test_a_driver_that_captures_nothing_runs_every_step_eagerly(box, caplog):
    engine, _ = attention(box, WIDE)
    box.cuda.refuse_capture = True
    state = engine.new_state(128)
    x = np.ones((1, WIDE), np.float32)
    for _ in range(4):
        engine.run(feeds(state, x), state)
    assert engine.captured == 0
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("part 'lm' runs without new CUDA graphs: fake GPU: this driver captures")


def test_without_room_for_another_context_the_graphs_there_are_stay_in_use(box, caplog):
    box.trt.contexts_left = 2
    engine, _ = attention(box, WIDE)
    engine.warm_up({"T": 1, "P": 100})
    engine.warm_up({"T": 2, "P": 100})
    assert engine.captured == 1
    assert "cannot make an execution context" in caplog.text
    engine.warm_up({"T": 1, "P": 100})
    assert box.cuda.calls.count("launch") == 2


# What is refused leaves everything as it was.


def test_what_the_plan_was_not_built_for_is_refused_and_the_state_is_as_it_was(box):
    engine, _ = attention(box, WIDE)
    state = engine.new_state(64)
    with pytest.raises(BadFeed, match=r"x: is \[17, 64\]; the plan takes \[1, 64\] to \[16, 64\]"):
        engine.run(feeds(state, np.ones((17, WIDE), np.float32)), state)
    with pytest.raises(BadFeed, match="too much"):
        engine.run({"z": np.ones(1, np.float32)}, state)
    with pytest.raises(BadFeed, match="float64"):
        engine.run(feeds(state, np.ones((1, WIDE))), state)
    assert state.cache.length == 0
    engine.run(feeds(state, np.ones((2, WIDE), np.float32)), state)
    assert state.cache.length == 2


def test_a_mask_narrower_than_the_past_is_refused(box):
    engine, _ = attention(box, WIDE)
    state = engine.new_state(64)
    x = np.ones((4, WIDE), np.float32)
    engine.run(feeds(state, x), state)
    with pytest.raises(BadFeed, match="narrower than 4 rows"):
        engine.run({"x": x[:1], "mask": np.zeros((1, 3), np.float32)}, state)


def test_a_full_cache_is_refused_and_cutting_makes_room(box):
    engine, cpu = attention(box, WIDE)
    states = [engine.new_state(4), cpu.new_state(4)]
    x = np.ones((3, WIDE), np.float32)
    both_step((engine, cpu), states, x)
    for each, state in zip((engine, cpu), states, strict=True):
        with pytest.raises(StateError, match="3 rows and 3 more exceed 4"):
            each.run(feeds(state, x), state)
        assert state.cache.length == 3
        state.cache.truncate(1)
    gpu, reference = both_step((engine, cpu), states, x)
    assert np.allclose(gpu, reference, atol=1e-5)


def test_a_state_of_another_engine_is_refused_by_both(box):
    engine, cpu = attention(box, WIDE)
    other = box.open(part_of(box.directory, graphs.attention(WIDE)), PROFILE)
    x = np.ones((1, WIDE), np.float32)
    for mine, foreign in ((engine, cpu), (cpu, engine), (engine, other)):
        state = foreign.new_state(8)
        with pytest.raises(StateError, match="another engine's state"):
            mine.run(feeds(state, x), state)


def test_a_fault_of_the_gpu_leaves_the_state_and_the_stream_usable(box):
    engine, _ = attention(box, WIDE)
    state = engine.new_state(64)
    x = np.ones((1, WIDE), np.float32)
    plan = engine.plan.engine
    broken, plan.inputs = plan.inputs, {**plan.inputs, "ghost": None}  # an address is missing now
    with pytest.raises(EngineRunError, match="the run was refused"):
        engine.run(feeds(state, x), state)
    plan.inputs = broken
    assert state.cache.length == 0
    assert np.isfinite(engine.run(feeds(state, x), state)["y"]).all()


# Opening and closing.


def test_a_plan_of_another_version_or_of_no_kind_is_refused_with_what_tensorrt_said(box):
    part = part_of(box.directory, graphs.attention(WIDE))
    box.open(part, PROFILE)
    box.trt.__version__ = "10.16.2"
    plan = box.directory / "lm.plan"
    with pytest.raises(EngineLoadError, match=r"another version or GPU; build it again"):
        TensorRtEngine(box.trt, part.spec, plan, box.thread)
    plan.write_bytes(b"")
    with pytest.raises(EngineLoadError, match="cannot be read"):
        TensorRtEngine(box.trt, part.spec, plan, box.thread)


def test_a_plan_of_another_graph_is_refused(box):
    box.open(part_of(box.directory, graphs.attention(WIDE)), PROFILE)
    plan = box.directory / "lm.plan"
    other = part_of(box.directory, graphs.attention(NARROW))
    with pytest.raises(EngineLoadError, match=r"in the plan and f32\['T', 8\] in the manifest"):
        TensorRtEngine(box.trt, other.spec, plan, box.thread)
    other = part_of(box.directory, graphs.convolution())
    with pytest.raises(EngineLoadError, match="plan alone has"):
        TensorRtEngine(box.trt, other.spec, plan, box.thread)


def test_memory_that_does_not_suffice_is_an_error_and_nothing_stays_behind(tmp_path):
    box = FakeBox(tmp_path, capacity=20_000)
    with pytest.raises(CudaError, match="out of memory"):
        attention(box, WIDE)
    box.close()


def test_a_closed_engine_says_so_and_its_states_may_be_dropped_later(box):
    engine, _ = attention(box, WIDE)
    state = engine.new_state(8)
    engine.close()
    engine.close()
    with pytest.raises(EngineRunError, match="is closed"):
        engine.run({}, state)
    with pytest.raises(EngineRunError, match="is closed"):
        engine.new_state(8)
    del state
    gc.collect()


def test_every_call_comes_from_one_thread_whoever_asks(box):
    engine, _ = attention(box, WIDE)
    x = np.ones((1, WIDE), np.float32)

    def turn():
        state = engine.new_state(32)
        for _ in range(5):
            engine.run(feeds(state, x), state)

    turns = [threading.Thread(target=turn) for _ in range(4)]
    for thread in turns:
        thread.start()
    for thread in turns:
        thread.join()
    assert len(set(box.cuda.pushes)) == 1
    assert box.cuda.pushes[0] != threading.get_ident()
