"""``linnet plan`` against the figures of the design's own tables, which were worked out by hand."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bundles import chosen_bundle
from services.cli import main
from services.plan.estimate import (
    PRECISIONS,
    best,
    cache_gb,
    estimate,
    memory_gb,
    of_stored,
    step_gb,
)
from services.plan.families import FAMILIES, Family, Stream
from services.plan.modules import MODULES
from services.settings import Settings

ROUNDING = 0.01

# 10^9 parameters of body and head -> GB a step at (int4, int8, fp16), tokens/s at most on Nano
# Super, NX and AGX; None where it was said not to fit.
SIZES = {
    "0.5B": ((0.358, 0.136), (0.46, 0.50, 0.99), (223, 206, 103), (224, 207, 103), (447, 413, 207)),
    "1.7B": ((1.409, 0.311), (1.35, 1.72, 3.44), (76, 59, 30), (76, 60, 30), (152, 119, 60)),
    "4B": ((3.63, 0.389), (2.65, 4.02, 8.04), (38, 25, None), (39, 25, 13), (77, 51, 25)),
    "8B": ((6.95, 0.622), (4.83, 7.57, 15.1), (21, None, None), (21, 13.5, None), (42, 27, 13.5)),
    "9B": ((8.1, 0.69), (5.56, 8.79, 17.6), (None, None, None), (18, 11.6, None), (37, 23, 11.6)),
}


@pytest.mark.parametrize("size", SIZES)
def test_bounds_are_those_of_the_design_page(size: str) -> None:
    (body, head), bytes_a_step, *by_module = SIZES[size]
    stream = Stream("language model", body, head, per_s=1.0)
    family = Family("any", "any", (stream,), 0.0, 0.0, 0)
    for index, precision in enumerate(("int4", "int8", "fp16")):
        assert step_gb(stream, precision) == pytest.approx(bytes_a_step[index], rel=0.015)
        for name, row in zip(("nano-8-super", "nx-16", "agx-64"), by_module, strict=True):
            found = estimate(family, precision, MODULES[name])
            assert found.fits == (row[index] is not None), (name, precision)
            if row[index] is not None:
                assert found.tokens_s == pytest.approx(row[index], rel=0.03)


@pytest.mark.parametrize(
    ("precision", "module", "bound", "real_time"),
    [
        ("int4", "agx-64", 35.8, "yes"),
        ("int8", "agx-64", 23.1, "marginal"),
        ("fp16", "agx-64", 11.6, "no"),
        ("int4", "nx-16", 17.9, "no"),
    ],
)
def test_glm_4_voice_is_real_time_on_an_agx_in_int4_alone(precision, module, bound, real_time):
    found = estimate(FAMILIES["glm-4-voice"], precision, MODULES[module])
    assert found.tokens_s == pytest.approx(bound, rel=0.03)
    assert found.needed_s == 18.75
    assert found.real_time == real_time


@pytest.mark.parametrize(
    ("family", "precision", "gb_s"),
    [
        ("chroma", "fp16", 83), ("chroma", "int8", 41), ("chroma", "int4", 33),
        ("fun-audio-chat", "fp16", 100), ("fun-audio-chat", "int8", 50),
        ("step-audio-tts", "fp16", 275), ("step-audio-tts", "int8", 138),
    ],
)  # fmt: skip
def test_a_second_of_speech_reads_what_the_design_pages_say(family, precision, gb_s):
    found = estimate(FAMILIES[family], precision, MODULES["agx-64"])
    assert found.read_gb_s == pytest.approx(gb_s, rel=0.07)


@pytest.mark.parametrize(
    ("family", "precision", "gb"),
    [
        ("chroma", "fp16", 10.5), ("chroma", "int8", 5.85),
        ("fun-audio-chat", "fp16", 19.5 + 1.47), ("fun-audio-chat", "int8", 10.3 + 1.47),
        ("glm-4-voice", "fp16", 19.09 + 0.95 + 0.335), ("glm-4-voice", "int4", 7.10 + 0.95 + 0.335),
    ],
)  # fmt: skip
def test_memory_is_what_the_design_pages_say(family, precision, gb):
    assert memory_gb(FAMILIES[family], precision) == pytest.approx(gb, rel=0.13)


def test_step_audio_chat_fits_no_orin() -> None:
    rows = [best(FAMILIES["step-audio-chat"], module) for module in MODULES.values()]
    assert not any(row.fits for row in rows)
    assert {row.real_time for row in rows} == {"no"}


families = st.sampled_from(list(FAMILIES.values()))
modules = st.sampled_from(list(MODULES.values()))


@given(families, modules, st.sampled_from(PRECISIONS))
def test_faster_memory_and_fewer_bits_never_make_it_slower(family, module, precision):
    found = estimate(family, precision, module)
    faster = estimate(family, precision, dataclasses.replace(module, gb_s=2 * module.gb_s))
    assert faster.tokens_s >= found.tokens_s
    assert estimate(family, "int8", module).tokens_s >= estimate(family, "fp16", module).tokens_s
    assert found.memory_gb <= estimate(family, "fp16", module).memory_gb
    assert found.real_time == "no" or found.fits


@given(families, modules)
def test_the_best_is_the_highest_precision_that_is_real_time(family, module):
    chosen = best(family, module)
    found = [estimate(family, precision, module) for precision in PRECISIONS]
    assert chosen in found
    good = [row for row in found if row.real_time == "yes"]
    assert chosen == good[0] if good else chosen.real_time != "yes"


def test_a_tiny_model_waits_for_launches_and_not_for_memory() -> None:
    found = of_stored("linnet_mini", "w8a8", 0.02, 0.005, 18.75, MODULES["agx-64"])
    assert found.tokens_s == pytest.approx(1000)


# The command.


def out(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    assert main(["plan", *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["nominal"] is True
    return found


def test_one_model_on_one_module_is_shown_at_every_precision(capsys) -> None:
    rows = out(capsys, "--module", "agx-64", "--family", "glm-4-voice")["rows"]
    assert [row["real_time"] for row in rows] == ["no", "marginal", "yes"]


def test_all_models_on_all_modules(capsys) -> None:
    found = out(capsys)
    assert len(found["rows"]) == len(FAMILIES) * len(MODULES)
    assert found["modules"]["agx-64"]["int8_tops"] == 85
    assert all(model["title"] for model in found["models"].values())
    assert main(["plan", "--module", "nano-8"]) == 0
    text = capsys.readouterr().out
    assert "does not fit" in text
    assert "not one of them measured" in text


def test_a_bundle_needs_no_more_than_its_manifest(tmp_path: Path, capsys) -> None:
    shutil.copy(chosen_bundle(Settings()) / "manifest.json", tmp_path)
    (row,) = out(capsys, "--bundle", str(tmp_path), "--module", "nano-8")["rows"]
    assert (row["family"], row["precision"], row["real_time"]) == ("linnet_mini", "w8a8", "yes")
    assert row["needed_s"] == 18.75
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    cache = 511 * 6_144  # all there may be: 27 s
    assert row["step_gb"] == pytest.approx(
        (manifest["parts"]["lm"]["bytes"] + cache) / 1e9, abs=1e-4
    )


GLM_LAYERS = {"fp16": 2 * 8.158, "w8": 8.158, "w4": 0.516 * 8.158}  # 10^9 bytes


def glm_manifest(precision: str, said: object) -> dict[str, object]:
    """Of a bundle of the published sizes, of which only the manifest is there."""
    mini = json.loads((chosen_bundle(Settings()) / "manifest.json").read_text())
    head = 0.692 * (1 if precision == "w8" else 2)
    others = {"file": "decoder.weights", "bytes": 950_000_000, "sha256": "0" * 64}
    own = {"file": "lm.weights", "sha256": "0" * 64}
    own["bytes"] = round(1e9 * (GLM_LAYERS[precision] + head + 2 * 0.692))
    past = [
        {"name": f"past_{kind}_{n}", "dtype": "f16", "dims": ["P", 2, 128]}
        for n in range(40) for kind in "kv"
    ]  # fmt: skip
    lm = mini["parts"]["lm"]
    profile = {"T": [1, 1, 64], "P": [0, 512, 8191], "R": [1, 1, 16]}
    lm |= {"bytes": 0, "precision": precision, "state": past, "profile": profile}
    facts = {"family": "glm_4_voice", "schedule": {"text": 13, "audio": 26}, "self_test": None}
    files = {"lm.lm.weights": own, "decoder": others}
    config = {} if said is None else {"lm_step_bytes": said}
    return mini | facts | {"parts": {"lm": lm}, "files": files, "config": config}


@pytest.mark.parametrize(
    ("precision", "wanted"), [("fp16", "fp16"), ("w8", "int8"), ("w4", "int4")]
)
def test_a_bundle_is_planned_as_the_model_it_was_made_of(precision, wanted, tmp_path, capsys):
    read = round(1e9 * (GLM_LAYERS[precision] + 0.692 * (1 if precision == "w8" else 2)))
    (tmp_path / "manifest.json").write_text(json.dumps(glm_manifest(precision, read)))
    (bundled,) = out(capsys, "--bundle", str(tmp_path), "--module", "agx-64")["rows"]
    listed = out(capsys, "--family", "glm-4-voice", "--module", "agx-64")["rows"]
    (family,) = [row for row in listed if row["precision"] == wanted]
    for figure in ("memory_gb", "step_gb", "read_gb_s", "tokens_s", "needed_s", "headroom"):
        assert bundled[figure] == pytest.approx(family[figure], rel=0.002), figure
    assert bundled["real_time"] == family["real_time"]


@pytest.mark.parametrize("said", [None, 0, -1, 10**18, "5720000000", True])
def test_what_a_manifest_says_wrongly_of_a_step_is_not_believed(said, tmp_path, capsys):
    (tmp_path / "manifest.json").write_text(json.dumps(glm_manifest("w4", said)))
    (row,) = out(capsys, "--bundle", str(tmp_path), "--module", "agx-64")["rows"]
    assert row["step_gb"] == pytest.approx(7.0, rel=0.01)  # with the embedding


def test_a_step_reads_the_cache_of_what_was_said_of_late() -> None:
    family = FAMILIES["glm-4-voice"]
    found = estimate(family, "int4", MODULES["agx-64"])
    weights = step_gb(family.main, "int4")
    assert found.step_gb == pytest.approx(weights + 30 * 18.75 * 40_960 / 1e9)
    longest = dataclasses.replace(family, positions=100)
    assert cache_gb(longest, longest.main) == pytest.approx(100 * 40_960 / 1e9)


def test_a_bundle_that_cannot_be_planned_is_refused_with_a_reason(tmp_path: Path, capsys) -> None:
    assert main(["plan", "--bundle", str(tmp_path)]) == 5
    manifest = json.loads((chosen_bundle(Settings()) / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "family": "parrot"}))
    assert main(["plan", "--bundle", str(tmp_path)]) == 5
    assert "of the family parrot" in capsys.readouterr().err
    assert main(["plan", "--bundle", str(tmp_path), "--family", "chroma"]) == 2
