"""Addresses, buckets, memory and the one thread: what the TensorRT backend is made of."""

from __future__ import annotations

import gc
import itertools
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.engine.addresses import ALIGNMENT, Banks, Block, aligned
from device.engine.buckets import MASKED, bucket_of, ladder, padded
from device.engine.device_memory import Arena
from device.engine.inference_thread import InferenceThread
from device.errors import CudaError, EngineRunError
from tests.support.fake_cuda import FakeCuda

SIZES = st.dictionaries(st.text("abc", min_size=1, max_size=4), st.integers(0, 5000), max_size=9)


@given(SIZES)
def test_tensors_of_a_block_are_aligned_and_do_not_touch(sizes):
    block = Block.of(sizes)
    ends = 0
    for name, offset in block.offsets.items():
        assert offset % ALIGNMENT == 0
        assert offset >= ends
        ends = offset + sizes[name]
    assert ends <= block.size == sum(map(aligned, sizes.values()))


@given(
    st.dictionaries(st.text("kv", min_size=1, max_size=5), st.integers(1, 2048), max_size=9),
    st.integers(0, 600),
    st.data(),
)
def test_rows_of_caches_never_reach_into_the_next_cache(rows, count, data):
    banks = Banks.of(rows, count)
    base = 1 << 40
    starts = banks.starts(base)
    assert starts.keys() == rows.keys()
    spans = sorted((start, start + rows[name] * count) for name, start in starts.items())
    assert all(end <= nxt for (_, end), (nxt, _) in itertools.pairwise(spans))
    assert all(base <= start and end <= base + banks.size for start, end in spans)
    first = data.draw(st.integers(0, count))
    for name, start in banks.starts(base, first).items():
        assert start == starts[name] + first * rows[name]
    taken = all(start % ALIGNMENT == 0 for start in banks.starts(base, first).values())
    assert banks.bindable(first) == taken


@pytest.mark.parametrize(
    ("rows", "most", "buckets"),
    [
        (1, None, (128,)),
        (128, None, (128,)),
        (129, None, (128, 256)),
        (512, 512, (128, 256, 512)),
        (500, None, (128, 256, 512)),
        (500, 500, (128, 256, 500)),
        (2048, 300, (128, 256, 300)),
        (100, 72, (72,)),
    ],
)
def test_buckets_double_up_to_what_the_plan_takes(rows, most, buckets):
    assert ladder(rows, most) == buckets


@given(st.integers(1, 9000), st.integers(0, 9000))
def test_a_bucket_holds_the_past_and_is_less_than_twice_as_long(rows, fed):
    fed = min(fed, rows)
    bucket = bucket_of(fed, ladder(rows))
    assert fed <= bucket <= max(128, 2 * fed)


def test_a_past_beyond_the_last_bucket_is_fed_as_it_is():
    assert bucket_of(301, (128, 256, 300)) == 301


@given(st.integers(1, 4), st.integers(0, 9), st.integers(0, 9), st.sampled_from([0, 1]))
def test_padding_hides_itself_and_nothing_else(new, past, more, axis):
    mask = np.arange(new * (past + new), dtype=np.float32).reshape(new, past + new)
    mask = mask if axis else mask.T
    wide = padded(mask, axis, past, past + more)
    old, hidden, fresh = np.split(wide, [past, past + more], axis)
    assert (hidden == MASKED).all()
    assert hidden.shape[axis] == more
    assert np.array_equal(np.concatenate([old, fresh], axis), mask)
    assert wide.dtype == mask.dtype


def test_an_arena_gives_back_each_byte_once():
    cuda = FakeCuda()
    cuda.push()
    arena = Arena(cuda)
    kept, early = arena.alloc(1000), arena.alloc(0)
    arena.pinned(10)
    assert kept % ALIGNMENT == 0
    assert arena.held == 1001
    arena.free(early)
    arena.free(early)
    arena.close()
    arena.close()
    arena.free(kept)
    assert not any(cuda.held.values())


# The one thread.


@pytest.fixture
def gpu():
    thread = InferenceThread(FakeCuda())
    yield thread
    thread.close()


def test_the_context_is_current_for_the_work_alone_also_when_it_fails(gpu):
    def depth():
        return gpu.cuda.depth

    def fail():
        raise ValueError("of the caller")

    assert gpu.call(depth) == 1
    with pytest.raises(ValueError, match="of the caller"):
        gpu.call(fail)
    assert gpu.call(depth) == 1
    assert depth() == 0
    with pytest.raises(CudaError, match="without the context"):
        gpu.cuda.alloc(1)


def test_work_of_work_runs_at_once(gpu):
    assert gpu.call(lambda: gpu.call(lambda: gpu.cuda.depth)) == 1


def test_a_context_that_cannot_be_made_current_is_told_to_the_caller(gpu):
    class Lost(FakeCuda):
        def push(self):
            raise CudaError("GPU", "fell off the bus", "start the machine again")

    lost = InferenceThread(Lost())
    with pytest.raises(CudaError, match="fell off the bus"):
        lost.call(int)
    lost.close()


def test_later_work_is_done_in_its_turn_and_its_fault_only_logged(gpu, caplog):
    done = []

    def fail():
        raise CudaError("GPU", "is upset", "wait")

    gpu.later(fail)
    gpu.later(lambda: done.append(threading.get_ident()))
    gpu.call(int)
    assert done == [gpu.cuda.pushes[0]]
    assert "is upset" in caplog.text


def test_after_the_end_nothing_is_taken_and_nobody_waits(gpu):
    gpu.close()
    gpu.close()
    with pytest.raises(EngineRunError, match="was closed"):
        gpu.call(int)
    gpu.later(int)


def test_finished_work_is_let_go(gpu):
    class Thing:
        gone = 0

        def __del__(self):
            Thing.gone += 1

    gpu.call(lambda thing: None, Thing())
    gpu.call(int)
    gc.collect()
    assert Thing.gone == 1
