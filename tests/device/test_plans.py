"""Plans that were built here: kept, found, refused when damaged, and chosen by the factory."""

from __future__ import annotations

import logging
import os
from importlib.util import find_spec

import numpy as np
import pytest

from device.bundle import Bundle
from device.engine.factory import EngineFactory
from device.engine.gpu import Gpu, open_gpu
from device.engine.inference_thread import InferenceThread
from device.engine.plans import PlanKey, PlanStore, write_durably
from device.errors import EngineLoadError, EngineUnavailable
from model_export.pack import PartSource, pack
from tests.device import graphs
from tests.support.fake_cuda import FakeCuda
from tests.support.fake_tensorrt import FakeTensorRt

KEY = PlanKey("ab" * 32, "lm", "10.3.0.30", 87)


@pytest.fixture
def store(tmp_path):
    return PlanStore(tmp_path / "plans")


@pytest.fixture
def gpu():
    cuda = FakeCuda()
    made = Gpu(FakeTensorRt(cuda), InferenceThread(cuda))
    yield made
    made.close()


@pytest.fixture
def bundle(tmp_path) -> Bundle:
    source = graphs.save(graphs.convolution(), tmp_path / "source.onnx")
    parts = {
        name: PartSource(source, "fp32", profile={"T": (1, 8, 64)}) for name in ("front", "back")
    }
    return pack(tmp_path / "bundle", graphs.head(), parts, {})


# The store.


def test_a_plan_is_found_by_all_that_it_must_fit(store):
    store.save(KEY, b"a plan", "w8a8", 12.0)
    path, facts = store.find(KEY)
    assert path.read_bytes() == b"a plan"
    assert (facts.precision, facts.bytes, facts.seconds) == ("w8a8", 6, 12.0)
    for other in (
        PlanKey("cd" * 32, "lm", "10.3.0.30", 87),
        PlanKey("ab" * 32, "vocoder", "10.3.0.30", 87),
        PlanKey("ab" * 32, "lm", "10.16.2", 87),
        PlanKey("ab" * 32, "lm", "10.3.0.30", 86),
    ):
        assert store.find(other) is None


def test_a_plan_that_is_not_whole_or_not_the_one_is_refused(store):
    store.save(KEY, b"a plan", "w8a8", 1.0)
    path = store.path(KEY)
    path.write_bytes(b"a plam")
    with pytest.raises(EngineLoadError, match="is damaged; build it again"):
        store.find(KEY)
    path.write_bytes(b"a p")
    with pytest.raises(EngineLoadError, match="is not whole"):
        store.find(KEY)
    path.with_suffix(".json").write_text("{}")
    with pytest.raises(EngineLoadError, match="description is damaged"):
        store.find(KEY)


def test_power_cut_before_the_description_leaves_no_plan(store):
    path = store.path(KEY)
    path.parent.mkdir(parents=True)
    write_durably(path, b"a plan")
    assert store.find(KEY) is None


def test_a_draft_of_a_write_that_was_cut_short_is_replaced(store, tmp_path):
    path = tmp_path / "file"
    write_durably(path, b"old")
    path.with_name("file.new").write_bytes(b"half of the ne")
    write_durably(path, b"new")
    assert path.read_bytes() == b"new"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_plans_that_may_not_be_read_are_an_error_that_auto_can_catch(store):
    store.save(KEY, b"a plan", "w8a8", 1.0)
    store.path(KEY).parent.chmod(0)
    with pytest.raises(EngineLoadError, match="cannot be read"):
        store.find(KEY)


def test_pruning_keeps_the_bundles_that_are_named_and_the_timing(store):
    old = PlanKey("cd" * 32, "lm", "10.3.0.30", 87)
    for key in (KEY, old):
        store.save(key, b"a plan", "w8", 1.0)
    store.save_timing(KEY, b"timed")
    assert [path.name for path in store.prune([KEY.digest])] == ["cd" * 6]
    assert store.find(KEY) is not None
    assert store.find(old) is None
    assert store.timing(KEY) == b"timed"
    assert store.timing(PlanKey("", "", "11.4", 87)) == b""


def test_a_version_cannot_lead_out_of_the_directory(store):
    key = PlanKey("ab" * 32, "lm", "../../10", 87)
    assert store.path(key).resolve().is_relative_to(store.root.resolve())


# Building and opening.


def test_what_is_built_here_runs_here_and_the_timing_of_all_parts_is_kept(gpu, bundle, store):
    for part in ("front", "back"):
        facts = gpu.build(bundle, part, store)
        assert (facts.part, facts.version, facts.sm) == (part, "10.3.0", 87)
    assert store.timing(gpu.key(bundle, "front")) == b"timed;timed;"
    engine = gpu.open(bundle, "back", store)
    x = np.ones((1, 4, 8), np.float32)
    assert engine.run({"x": x}, engine.new_state(1))["y"].shape == (1, 4, 8)
    gpu.close()
    gpu.close()
    assert not any(gpu.cuda.held.values())


def test_another_tensorrt_has_no_plan_until_it_builds_one(gpu, bundle, store):
    gpu.build(bundle, "front", store)
    gpu.trt.__version__ = "10.16.2"
    with pytest.raises(
        EngineUnavailable, match=r"no plan for TensorRT 10\.16\.2 on SM87; run: lin"
    ):
        gpu.open(bundle, "front", store)


# The factory.


def test_auto_runs_on_the_gpu_what_has_a_plan_and_warns_once_of_the_rest(
    gpu, bundle, store, caplog
):
    gpu.build(bundle, "front", store)
    factory = EngineFactory("auto", plans=store.root, gpu=lambda: gpu)
    with caplog.at_level(logging.WARNING):
        opened = [factory(bundle, part) for part in ("front", "back", "back")]
    assert [engine.backend for engine in opened] == ["tensorrt", "onnx", "onnx"]
    (warning,) = caplog.records
    assert "not by TensorRT: part 'back': has no plan" in warning.getMessage()
    opened[0].close()


def test_auto_runs_a_plan_that_does_not_load_on_the_processor(gpu, bundle, store, caplog):
    gpu.build(bundle, "front", store)
    store.save(gpu.key(bundle, "front"), b"no plan at all", "fp32", 1.0)
    assert (
        EngineFactory("auto", plans=store.root, gpu=lambda: gpu)(bundle, "front").backend == "onnx"
    )
    assert "Serialization assertion failed" in caplog.text


def test_tensorrt_by_name_never_falls_back(gpu, bundle, store):
    factory = EngineFactory("tensorrt", plans=store.root, gpu=lambda: gpu)
    with pytest.raises(EngineUnavailable, match="has no plan"):
        factory(bundle, "front")
    with pytest.raises(EngineUnavailable, match=r"has no plans; set model\.plans"):
        EngineFactory("tensorrt", gpu=lambda: gpu)(bundle, "front")


def test_onnx_by_name_never_looks_for_a_gpu(bundle):
    def nobody() -> Gpu:
        raise AssertionError("nobody asked for a GPU")

    assert EngineFactory("onnx", gpu=nobody)(bundle, "front").backend == "onnx"


@pytest.mark.skipif(find_spec("tensorrt") is not None, reason="TensorRT is installed")
def test_this_machine_says_what_it_lacks():
    with pytest.raises(EngineUnavailable, match=r"^tensorrt: cannot be imported .*JetPack"):
        open_gpu()
