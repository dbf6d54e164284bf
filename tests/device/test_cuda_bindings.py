"""The adapters to pycuda and to libcuda, tried where there is neither."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from device.engine.cuda import Cuda
from device.engine.cuda_graphs import DriverGraphs
from device.engine.cuda_pycuda import PyCuda
from device.engine.inference_thread import InferenceThread
from device.engine.onnx_cpu import OnnxCpuEngine
from device.engine.tensorrt_build import build
from device.engine.tensorrt_run import TensorRtEngine
from device.errors import CudaError
from tests.device import graphs
from tests.device.test_tensorrt_run import PROFILE, WIDE, feeds, part_of
from tests.support.fake_cuda import FakeCuda
from tests.support.fake_pycuda import FakeDriver, FakeGraphs
from tests.support.fake_tensorrt import FakeTensorRt

STREAM = 0x7F0123456789ABC0


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is not installed")
    made = tmp_path_factory.mktemp("lib") / "libcuda.so.1"
    source = Path(__file__).with_name("fake_libcuda.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", made, source], check=True)
    return str(made)


def test_handles_of_64_bits_go_through_c_and_nothing_is_kept(library):
    driver = DriverGraphs(library)
    driver.begin(STREAM)
    graph = driver.end(STREAM)
    driver.launch(graph, STREAM)
    driver.launch(graph, STREAM)
    driver.destroy(graph)
    assert ctypes.CDLL(library).held() == 0


def test_a_result_that_is_not_success_names_the_function(library):
    driver = DriverGraphs(library)
    with pytest.raises(CudaError, match="cuStreamEndCapture: failed with CUresult 1"):
        driver.end(STREAM)
    with pytest.raises(CudaError, match="cuGraphLaunch"):
        driver.launch(1, STREAM)
    driver.begin(STREAM)
    with pytest.raises(CudaError, match="CUresult 900"):
        driver.begin(STREAM)
    driver.destroy(driver.end(STREAM))


def test_a_machine_without_a_driver_or_with_an_old_one_is_told_so(tmp_path):
    with pytest.raises(CudaError, match="cannot be used"):
        DriverGraphs(str(tmp_path / "libcuda.so.1"))
    with pytest.raises(CudaError, match="cuStreamBeginCapture_v2"):
        DriverGraphs("libc.so.6")


def test_a_model_runs_through_pycudas_calls(tmp_path):
    cuda = FakeCuda()
    adapter: Cuda = PyCuda(FakeDriver(cuda), FakeGraphs(cuda))
    assert (adapter.name, adapter.sm) == ("Fake Orin", 87)
    part = part_of(tmp_path, graphs.attention(WIDE))
    trt, thread = FakeTensorRt(cuda), InferenceThread(adapter)
    spec = part.spec.model_copy(update={"profile": PROFILE})
    built = build(trt, type(part)(part.name, part.path, spec))
    (tmp_path / "lm.plan").write_bytes(built.plan)
    engine, cpu = TensorRtEngine(trt, spec, tmp_path / "lm.plan", thread), OnnxCpuEngine(part)
    states = [engine.new_state(64, 20), cpu.new_state(64, 20)]
    rng = np.random.default_rng(0)
    for _ in range(80):
        x = rng.standard_normal((1, WIDE), np.float32)
        ours, theirs = (
            each.run(feeds(state, x), state)["y"]
            for each, state in zip((engine, cpu), states, strict=True)
        )
        assert np.allclose(ours, theirs, atol=1e-5)
    assert cuda.calls.count("launch") > 50
    free, total = thread.call(adapter.memory)
    assert 0 < free < total
    del states
    engine.close()
    thread.close()
    assert not any(cuda.held.values())


def test_marks_in_time():
    cuda = FakeCuda()
    adapter = PyCuda(FakeDriver(cuda), FakeGraphs(cuda))
    adapter.push()
    stream = adapter.stream()
    first = adapter.event(stream)
    assert adapter.elapsed_ms(first, adapter.event(stream)) == 1.0
    adapter.destroy_stream(stream)
    adapter.pop()
    assert not cuda.depth


def test_what_pycuda_raises_is_told_as_ours():
    cuda = FakeCuda(capacity=1000)
    with pytest.raises(CudaError, match="start: cuDeviceGet failed"):
        PyCuda(FakeDriver(cuda, devices=0), FakeGraphs(cuda))
    adapter = PyCuda(FakeDriver(cuda), FakeGraphs(cuda))
    adapter.push()
    with pytest.raises(CudaError, match="alloc: out of memory"):
        adapter.alloc(2000)
    adapter.pop()
