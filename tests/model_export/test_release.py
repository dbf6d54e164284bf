"""What a release says of itself when it is packed again: figures join, graphs stay as they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from device.bundle import Bundle
from model_export.families.linnet_mini.export import (
    PROFILES,
    RECIPES,
    Checkpoints,
    Speech,
    gate_figures,
)
from model_export.gates import AT_LEAST, GateFailed
from model_export.pack import PartSource, pack
from model_export.release import annotate
from tests.support.bundle_head import head

ROOT = Path(__file__).parents[2]
SHIPPED = Bundle.open(ROOT / "bundles/linnet_mini-en")
KEPT = Checkpoints.kept(ROOT / "model_export/weights", SHIPPED.file("vocabulary"))
SAID = Speech([np.zeros(16_000, np.float32)], codes=[[7, 800, 249, 330, 237, 854, 350, 608]])


def gated(figures: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if name.startswith("gate.")}


def test_the_shipped_bundle_says_how_far_each_rounded_part_is_from_float() -> None:
    figures = SHIPPED.manifest.evaluation
    rounded = [n for n, part in SHIPPED.manifest.parts.items() if part.precision != "fp32"]
    for name in rounded:
        gate = RECIPES[name].gate
        assert gate is not None
        value, bar = (figures[f"gate.{name}.{gate.measure}{end}"] for end in ("", ".bar"))
        assert bar == gate.bar
        assert value >= bar if AT_LEAST[gate.measure] else value <= bar
    assert len(gated(figures)) == 2 * len(rounded)


def test_new_figures_of_a_bundle_leave_its_gates_and_its_graphs(tmp_path: Path) -> None:
    out = shutil.copytree(SHIPPED.root, tmp_path / "bundle")
    facts = tmp_path / "facts.json"
    facts.write_text(
        json.dumps(
            {"evaluation": {"reply_wer": 0.25}, "rescoring": {"ctc": 2.0}, "typed_accept": 1}
        )
    )
    again, old = annotate(out, facts).manifest, SHIPPED.manifest
    assert again.evaluation == {**gated(old.evaluation), "reply_wer": 0.25}
    assert again.config == {**old.config, "rescoring_ctc": 2.0, "typed_accept": 1.0}
    assert (again.parts, again.version, again.self_test) == (old.parts, old.version, old.self_test)


def only_the_decoder(folder: Path, louder: float) -> Bundle:
    model = onnx.load(str(SHIPPED.part("speech_decoder").path))
    for tensor in model.graph.initializer:
        if "__scale_" in tensor.name:
            tensor.CopyFrom(
                numpy_helper.from_array(louder * numpy_helper.to_array(tensor), tensor.name)
            )
    onnx.save(model, folder / "decoder.onnx")
    source = PartSource(folder / "decoder.onnx", "w8", PROFILES["speech_decoder"])
    return pack(folder / "bundle", head(), {"speech_decoder": source}, {})


def test_a_part_is_gated_again_by_the_weights_that_were_kept(tmp_path: Path) -> None:
    figures = gate_figures(only_the_decoder(tmp_path, louder=1.0), KEPT, SAID)
    assert figures["gate.speech_decoder.l1.bar"] == 0.05
    assert 0 < figures["gate.speech_decoder.l1"] < 0.01


def test_a_part_that_is_another_than_its_weights_is_not(tmp_path: Path) -> None:
    with pytest.raises(GateFailed, match="part speech_decoder: l1 of mel"):
        gate_figures(only_the_decoder(tmp_path, louder=1.2), KEPT, SAID)
