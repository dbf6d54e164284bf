"""Finished parts are kept, half-finished ones are not, and a gate that fails stops an export."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from model_export import gates
from model_export.gates import Gate, GateFailed
from model_export.onnx_graph import ExportError
from model_export.pack import pack
from model_export.quantize import quantize
from model_export.workplace import ROOMS, Made, Workplace, made_by
from tests.device import graphs


class Maker:
    """Makes the perceptron and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, folder):
        self.calls += 1
        path = graphs.save(graphs.perceptron(), folder / "lm.onnx")
        return Made(path, "fp32", {"T": (1, 1, 64)}, figures={"gate.lm.top1": 0.9})


def test_a_finished_part_is_kept_with_its_hash(tmp_path):
    place, make = Workplace(tmp_path / "bundle"), Maker()
    first, kept = place.part("lm", "checkpoint 1", make)
    assert not kept
    again, kept = Workplace(tmp_path / "bundle").part("lm", "checkpoint 1", make)
    assert kept
    assert again == first
    assert make.calls == 1
    assert again.figures == {"gate.lm.top1": 0.9}


@pytest.mark.parametrize("damage", ["other checkpoint", "changed", "gone", "no record", "half"])
def test_anything_else_is_made_anew(tmp_path, damage):
    place, make = Workplace(tmp_path / "bundle"), Maker()
    made, _ = place.part("lm", "checkpoint 1", make)
    if damage == "changed":
        made.model.write_bytes(made.model.read_bytes() + b"\0")
    elif damage == "gone":
        made.model.unlink()
    elif damage == "no record":
        (made.model.parent / "record.json").unlink()
    elif damage == "half":
        made.model.parent.rename(place.root / "lm.new")
    key = "checkpoint 2" if damage == "other checkpoint" else "checkpoint 1"
    again, kept = place.part("lm", key, make)
    assert not kept
    assert make.calls == 2
    assert again.model.exists()
    assert [path.name for path in place.root.iterdir()] == ["lm"]


def test_a_part_of_an_older_exporter_is_made_anew(tmp_path):
    make = Maker()
    Workplace(tmp_path / "bundle", "Linnet of yesterday").part("lm", "checkpoint 1", make)
    _, kept = Workplace(tmp_path / "bundle").part("lm", "checkpoint 1", make)
    assert not kept
    _, kept = Workplace(tmp_path / "bundle").part("lm", "checkpoint 1", make)
    assert kept
    assert make.calls == 2


def test_an_exporter_with_another_recipe_is_another_exporter(tmp_path):
    for room in ROOMS:
        source = Path(__file__).parents[2] / room
        shutil.copytree(source, tmp_path / room, ignore=shutil.ignore_patterns("weights"))
    before = made_by(tmp_path)
    assert before == made_by()
    recipes = tmp_path / "model_export/families/glm_4_voice/export.py"
    recipes.write_text(recipes.read_text().replace('"agreement", 0.90', '"agreement", 0.95'))
    assert made_by(tmp_path) != before


def test_a_part_that_fails_leaves_no_finished_part(tmp_path):
    place = Workplace(tmp_path / "bundle")

    def fails(folder):
        (folder / "lm.onnx").write_bytes(b"half")
        raise ExportError("the power went")

    with pytest.raises(ExportError, match="the power went"):
        place.part("lm", "checkpoint 1", fails)
    assert not (place.root / "lm").exists()
    _, kept = place.part("lm", "checkpoint 1", Maker())
    assert not kept


def test_linked_parts_are_the_bundles_own(tmp_path):
    place = Workplace(tmp_path / "bundle")
    made, _ = place.part("lm", "checkpoint 1", Maker())
    bundle = pack(tmp_path / "bundle", graphs.head(), {"lm": made.source()}, {}, link=True)
    assert bundle.part("lm").path.stat().st_ino == made.model.stat().st_ino
    place.clear()
    assert bundle.part("lm").path.exists()
    assert not place.root.exists()


@pytest.mark.parametrize(
    ("measure", "exact", "found", "value"),
    [
        ("agreement", [[1, 2], [3, 4]], [[1, 2], [3, 5]], 0.75),
        ("top1", [[[0.0, 1.0], [1.0, 0.0]]], [[[0.0, 9.0], [0.0, 0.1]]], 0.5),
        ("l1", [[1.0, -1.0]], [[1.5, -1.0]], 0.25),
        ("snr_db", [[10.0, 0.0]], [[10.0, 1.0]], 20.0),
    ],
)
def test_the_measures(measure, exact, found, value):
    runs = ([np.array(side) for side in sides] for sides in (exact, found))
    assert gates.compared(*runs, measure) == pytest.approx(value)


def test_a_gate_that_fails_says_what_to_do():
    gate = Gate("codes", "agreement", 0.9)
    assert gates.judged("tokenizer", gate, 0.95) == {
        "gate.tokenizer.agreement": 0.95, "gate.tokenizer.agreement.bar": 0.9,
    }  # fmt: skip
    with pytest.raises(
        GateFailed, match=r"agreement of codes against float is 0\.8, less than 0\.9"
    ):
        gates.judged("tokenizer", gate, 0.8)
    assert gates.judged("tokenizer", gate, 0.8, bar=0.7)["gate.tokenizer.agreement.bar"] == 0.7
    with pytest.raises(GateFailed, match=r"more than 0\.1"):
        gates.judged("flow", Gate("v", "l1", 0.1), 0.2)


def test_graphs_are_measured_against_each_other():
    exact = graphs.perceptron()
    rounded = quantize(exact, "w8").model
    gate = Gate("y", "l1", 0.1)
    assert gates.measured(exact, exact, graphs.id_feeds(), gate) == 0.0
    assert 0.0 < gates.measured(exact, rounded, graphs.id_feeds(), gate) < 0.02
    with pytest.raises(ExportError, match="nothing to measure on"):
        gates.measured(exact, rounded, [], gate)
