"""``linnet engine``: what a person with a board runs, on a board made of numpy and on none."""

from __future__ import annotations

import json
from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from device.bundle import Bundle
from device.engine.gpu import Gpu
from device.engine.inference_thread import InferenceThread
from device.engine.plans import PlanStore
from services.bundles import chosen_bundle
from services.cli import main
from services.engine.checks import Effort
from services.engine.commands import build_here, inspect, selftest
from services.engine.golden import agreement, decibels
from services.settings import Settings
from tests.support.fake_cuda import FakeCuda
from tests.support.fake_tensorrt import FakeTensorRt

QUICK = Effort(copied=1 << 20, steps=20)


class Board:
    """A board that is switched on anew for each command, as each is a process of its own."""

    def __init__(self, plans: Path) -> None:
        self.plans = plans
        self.int8_kernels = True
        self.version = "10.3.0"

    def open(self) -> Gpu:
        self.cuda = FakeCuda()
        self.trt = FakeTensorRt(self.cuda, self.version)
        self.trt.int8_kernels = self.int8_kernels
        return Gpu(self.trt, InferenceThread(self.cuda))


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.open(chosen_bundle(Settings()))


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path / "plans")


def build(board: Board, bundle: Bundle, **options: object) -> int:
    args = Namespace(**{"part": None, "json": False, **options})
    return build_here(args, bundle, board.plans, opener=board.open)


def self_tested(
    board: Board, bundle: Bundle, capsys: pytest.CaptureFixture[str], effort: Effort = QUICK
) -> dict:
    args = Namespace(backend="tensorrt", json=True)
    capsys.readouterr()
    status = selftest(args, bundle, board.plans, board.open, effort)
    found = json.loads(capsys.readouterr().out)
    assert status == (0 if found["ok"] else 7)
    assert not any(board.cuda.held.values())
    return found


def checks(found: dict) -> dict:
    return {check["name"]: check for check in found["checks"]}


def test_built_and_tested_on_one_board(board, bundle, capsys) -> None:
    assert build(board, bundle) == 0
    found = self_tested(board, bundle, capsys)
    assert found["ok"]
    assert found["machine"]["sm"] == 87
    by_name = checks(found)
    assert by_name["golden tokens"]["figures"]["agreement"] == 1.0
    for part in ("tokenizer", "lm", "voice"):
        assert len(by_name[f"golden vectors, {part}"]["figures"]) == 3
    for part in ("tokenizer", "lm"):
        figures = by_name[f"kernels, {part}"]["figures"]
        assert figures["linear_int8"] == figures["linear"] > 20
    assert by_name["kernels, vocoder"]["ok"] is None
    assert by_name["memory speed"]["figures"]["gb_s"] > 0
    decoding = by_name["decoding"]["figures"]
    assert decoding["graphs"] >= 1
    assert decoding["bandwidth_ratio"] > 0
    assert by_name["memory"]["figures"]["taken_bytes"] > 0


def test_kernels_that_fell_back_to_half_precision_fail_the_test(board, bundle, capsys) -> None:
    build(board, bundle)
    board.int8_kernels = False
    found = self_tested(board, bundle, capsys)
    assert not found["ok"]
    failed = {name for name, check in checks(found).items() if check["ok"] is False}
    assert failed == {"kernels, tokenizer", "kernels, lm"}
    args = Namespace(part=["lm"], json=False)
    assert inspect(args, bundle, board.plans, board.open) == 7
    linear = checks(found)["kernels, lm"]["figures"]["linear"]
    out = capsys.readouterr().out
    assert f"FAILED kernels, lm: 0 of {linear} linear layers read INT8" in out


def test_plans_of_another_tensorrt_are_not_there(board, bundle, capsys) -> None:
    build(board, bundle)
    board.version = "10.16.2"
    found = self_tested(board, bundle, capsys)
    (plans,) = found["checks"]
    assert not plans["ok"]
    assert "no plan for TensorRT 10.16.2 on SM87; run: linnet engine build" in plans["detail"]


def test_a_fault_of_the_gpu_fails_the_test_and_what_was_found_before_is_told(
    board, bundle, capsys
) -> None:
    build(board, bundle)
    found = self_tested(board, bundle, capsys, Effort(copied=1 << 40, steps=20))
    assert not found["ok"]
    by_name = checks(found)
    assert by_name["kernels, lm"]["ok"]
    assert "out of memory" in by_name["run"]["detail"]


def test_one_part_may_be_built_and_inspected_alone(board, bundle, capsys) -> None:
    assert build(board, bundle, part=["vocoder"], json=True) == 0
    (row,) = json.loads(capsys.readouterr().out)["checks"]
    assert (row["name"], row["figures"]["sm"]) == ("vocoder", 87)
    assert inspect(Namespace(part=["vocoder"], json=True), bundle, board.plans, board.open) == 0
    assert inspect(Namespace(part=None, json=True), bundle, board.plans, board.open) == 7


def test_building_all_removes_what_no_installed_bundle_needs(board, bundle) -> None:
    for name in ("0123456789ab", "ba9876543210"):
        (board.plans / name).mkdir(parents=True)
    args = Namespace(part=None, json=False)
    assert build_here(args, bundle, board.plans, ["0123456789ab"], board.open) == 0
    kept = {path.name for path in board.plans.iterdir()}
    assert kept == {"0123456789ab", bundle.digest[:12], "timing"}
    gpu = board.open()
    assert PlanStore(board.plans).find(gpu.key(bundle, "lm")) is not None
    gpu.close()


# Without a GPU.


@pytest.mark.skipif(find_spec("tensorrt") is not None, reason="TensorRT is installed")
@pytest.mark.parametrize("action", ["build", "selftest", "inspect"])
def test_a_machine_without_a_gpu_says_all_that_is_missing(action, capsys) -> None:
    assert main(["engine", action, "--json"]) == 7
    found = json.loads(capsys.readouterr().out)
    assert not found["ok"]
    assert {"tensorrt", "pycuda"} <= {lack["what"] for lack in found["missing"]}
    assert all(lack["remedy"] for lack in found["missing"])


def test_the_processor_passes_its_own_test(bundle, tmp_path, capsys) -> None:
    args = Namespace(backend="onnx", json=True)
    assert selftest(args, bundle, tmp_path, effort=QUICK) == 0
    by_name = checks(json.loads(capsys.readouterr().out))
    assert by_name["golden tokens"]["figures"]["agreement"] == 1.0
    assert by_name["decoding"]["figures"]["step_bytes"] > 5_000_000


# How answers are compared.


def test_agreement_counts_places_of_the_longer_one() -> None:
    assert agreement([1, 2, 3], [1, 2, 3]) == 1.0
    assert agreement([1, 2], [1, 2, 3, 4]) == 0.5
    assert agreement([], []) == 1.0
    assert agreement([1], []) == 0.0


def test_decibels_fall_with_the_difference_and_broken_sound_is_worst() -> None:
    tone = np.sin(np.arange(1000, dtype=np.float32))
    assert decibels(tone, tone) == 200.0
    assert decibels(tone * np.float32(1.01), tone) == pytest.approx(40.0, abs=0.1)
    assert decibels(tone[:-1], tone) == -200.0
    assert decibels(np.full_like(tone, np.nan), tone) == -200.0
