"""Our way to stream GLM-4-Voice beside the naive one: the same ids, other work."""

from __future__ import annotations

import json

import pytest

from device.engine.factory import EngineFactory
from device.speech.glm_frames import frames_of
from services.bench.glm_streaming import CODES, ENDS, STAGES, TURNS, lines_of, measure
from services.cli import main
from services.exit_codes import ExitCode
from tests.support.glm_bundle import tiny_glm


def test_both_ways_say_the_same_codes_and_the_naive_one_loses_a_frame() -> None:
    table = measure(tiny_glm(), EngineFactory("onnx"), repeats=1)
    frames = frames_of(CODES)
    for end in ENDS:
        for turn in TURNS:
            found = table[end][turn]
            assert found["samples"] == {"ours": 256 * frames, "naive": 256 * (frames - 1)}
            for what in ("first_audio", "total"):
                row = found[what]
                assert row["ratio"] == pytest.approx(row["ours_ms"] / row["naive_ms"], abs=0.01)
                for stages in row["stages_ms"].values():
                    assert set(stages) == set(STAGES)
    waited = table["silence"]["first"]["first_audio"]["stages_ms"]
    assert waited["ours"]["hear"] == waited["ours"]["read"] == 0 < waited["naive"]["hear"]
    assert json.loads(json.dumps(table)) == table
    assert "ratio" in "\n".join(lines_of(table))


def test_the_command_wants_a_bundle(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--glm-streaming"]) == ExitCode.USAGE
    assert "--bundle" in capsys.readouterr().err
