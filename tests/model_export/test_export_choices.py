"""``linnet export`` refuses what it would have to ignore, and never replaces what is no bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_export.families.glm_4_voice import export as glm_export
from model_export.families.linnet_mini import export as mini_export
from model_export.onnx_graph import ExportError
from model_export.pack import check_target
from services.cli import main
from services.commands.export import GATED, UNROUNDED
from services.exit_codes import ExitCode

ROOT = Path(__file__).parents[2]
REFUSED = [
    ("glm-4-voice", ["--precision", "int4", "--smooth", "0.5"], "--smooth is an alpha"),
    ("glm-4-voice", ["--precision", "fp16", "--smooth", "0.5"], "--smooth is an alpha"),
    ("linnet-mini", ["--smooth", "1.5"], "--smooth is an alpha"),
    ("glm-4-voice", ["--precision", "fp16", "--head", "int8"], "--head int8 is for"),
    ("linnet-mini", ["--head", "int8"], "--head int8 is for"),
    ("glm-4-voice", ["--gate", "typo=1"], "--gate typo=1: of glm-4-voice in int8, tokenizer, lm"),
    ("glm-4-voice", ["--gate", "hift_pitch=1"], "--gate hift_pitch=1"),
    ("linnet-mini", ["--gate", "vocoder=1"], "linnet-mini in int8, tokenizer, lm, speech_decoder"),
    ("linnet-mini", ["--gate", "lm=much"], "--gate lm=much: is not like lm=0.8"),
    ("linnet-mini", ["--gate", "lm=nan"], "--gate lm=nan: is not like lm=0.8"),
]


@pytest.mark.parametrize(("family", "asked", "complaint"), REFUSED)
def test_what_would_have_no_effect_is_refused_before_anything_is_opened(
    family, asked, complaint, tmp_path, capsys
):
    places = ("tokenizer", "lm", "decoder") if family == "glm-4-voice" else ("weights",)
    folders = [word for name in places for word in (f"--{name}", str(tmp_path / "absent"))]
    out = ["--out", str(tmp_path / "bundle")]
    assert main(["export", family, *folders, *asked, *out]) == ExitCode.USAGE
    assert complaint in capsys.readouterr().err


def test_the_parts_with_a_bar_are_those_of_the_recipes():
    glm = {"lm", *(name for name, recipe in glm_export.RECIPES.items() if recipe.gate)}
    assert set(GATED["glm-4-voice"]) == glm
    mini = {name for name, recipe in mini_export.RECIPES.items() if recipe.gate}
    assert set(GATED["linnet-mini"]) == mini


def test_a_bar_is_refused_of_just_the_parts_that_are_stored_in_float():
    forms = {("glm-4-voice", wanted): of for wanted, of in glm_export.FORMS.items()}
    forms |= {("linnet-mini", wanted): mini_export.FORMS[wanted] for wanted in ("fp16", "int8")}
    for (family, wanted), stored in forms.items():
        exact = [name for name in GATED[family] if stored.get(name) == "fp32"]
        assert list(UNROUNDED.get((family, wanted), ())) == exact


def test_a_bar_of_the_vocoder_is_taken_where_it_is_rounded(tmp_path, capsys):
    asked = ["export", "linnet-mini", "--weights", str(tmp_path), "--precision", "fp16"]
    out = ["--out", str(tmp_path / "bundle")]
    assert main([*asked, "--gate", "vocoder=1", *out]) == ExitCode.CHECK_FAILED
    assert "lacks tokenizer.pt" in capsys.readouterr().err


def test_what_is_no_bundle_is_not_replaced(tmp_path, capsys):
    held = tmp_path / "documents"
    held.mkdir()
    (held / "thesis.txt").write_text("years of work")
    asked = ["export", "linnet-mini", "--weights", str(tmp_path / "absent")]
    for out in (held, held / "thesis.txt"):
        assert main([*asked, "--out", str(out)]) == ExitCode.CHECK_FAILED
        assert "exists and is no bundle" in capsys.readouterr().err
    (held / "manifest.json").write_text('{"name": "another program"}')
    with pytest.raises(ExportError, match="exists and is no bundle"):
        check_target(held, replace=True)
    assert (held / "thesis.txt").read_text() == "years of work"
    shipped = ROOT / "bundles/linnet_mini-en"
    check_target(shipped, replace=True)
    with pytest.raises(ExportError, match="exists; choose another place"):
        check_target(shipped, replace=False)
