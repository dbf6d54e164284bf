"""``linnet export``: what is asked for, what is refused, and the built-in model made again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from onnx import numpy_helper

from device.bundle import Bundle
from device.engine.onnx_cpu import OnnxCpuEngine
from device.speech.tokenizer import codes_of
from model_export.commands.export import bars, read_speech
from model_export.families.linnet_mini.export import GATE, without_silence
from model_export.onnx_graph import ExportError
from services.cli import main
from services.exit_codes import ExitCode

ROOT = Path(__file__).parents[2]


def test_recordings_come_at_16_khz_and_of_one_channel(tmp_path):
    both = np.stack([np.full(8_000, 0.25), np.zeros(8_000)], axis=1)
    soundfile.write(tmp_path / "a.wav", both, 8_000)
    (tmp_path / "notes.txt").write_text("not a recording")
    (pcm,) = read_speech(tmp_path)
    assert len(pcm) == 16_000
    assert pcm.dtype == np.float32
    assert abs(pcm[8_000] - 0.25) < 0.01


def test_no_recordings_or_broken_ones_are_refused(tmp_path):
    with pytest.raises(ExportError, match="holds no recordings"):
        read_speech(tmp_path)
    (tmp_path / "a.wav").write_bytes(b"RIFF nonsense")
    with pytest.raises(ExportError, match=r"a\.wav: is no recording"):
        read_speech(tmp_path)


@pytest.mark.parametrize(
    ("samples", "complaint"),
    [
        ([], r"b\.wav: holds no samples"),
        ([0.1], r"b\.wav: holds no samples"),  # of 48 kHz: not one at 16 kHz
        ([0.1, np.nan, 0.1], r"b\.wav: has samples that are not finite"),
        ([0.1, np.inf, 0.1], r"b\.wav: has samples that are not finite"),
    ],
)
def test_an_empty_recording_or_one_beyond_numbers_is_refused_by_name(tmp_path, samples, complaint):
    soundfile.write(tmp_path / "a.wav", np.full(8_000, 0.25), 16_000)
    soundfile.write(tmp_path / "b.wav", np.array(samples, np.float32), 48_000, subtype="FLOAT")
    with pytest.raises(ExportError, match=complaint):
        read_speech(tmp_path)


def test_what_a_release_has_to_answer_is_there_from_any_directory_or_nothing_is_made(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert len(without_silence(GATE)) > 16_000
    with pytest.raises(ExportError, match=r"none\.wav: what a release has to answer"):
        without_silence(tmp_path / "none.wav")


def test_bars_are_named_by_part():
    assert bars(["lm=0.7", "tokenizer=1"]) == {"lm": 0.7, "tokenizer": 1.0}
    assert bars(None) == {}
    with pytest.raises(ExportError, match="is not like lm"):
        bars(["lm"])


def test_what_a_family_needs_is_said(tmp_path, capsys):
    out = ["--out", str(tmp_path / "bundle")]
    assert main(["export", "glm-4-voice", "--lm", str(tmp_path), *out]) == ExitCode.USAGE
    assert "needs --tokenizer, --decoder" in capsys.readouterr().err
    weights = ["--weights", str(tmp_path)]
    assert main(["export", "linnet-mini", *weights, *out]) == ExitCode.CHECK_FAILED
    assert "lacks tokenizer.pt, lm.pt, t2m.pt, vocoder.pt" in capsys.readouterr().err


def test_a_missing_checkpoint_says_its_licence_first_and_writes_nothing(tmp_path, capsys):
    folders = [
        item for name in ("tokenizer", "lm", "decoder") for item in (f"--{name}", str(tmp_path))
    ]
    out = tmp_path / "bundle"
    assert main(["export", "glm-4-voice", *folders, "--out", str(out)]) == ExitCode.CHECK_FAILED
    said = capsys.readouterr().err
    assert said.startswith("Built with glm-4.")
    assert "config.json: cannot be read" in said
    assert "flow.pt: cannot be read" in said
    assert not list(tmp_path.iterdir())


def weights(path: Path) -> dict[str, np.ndarray]:
    """All constants of a graph but the scales of activations, which hang on the speech."""
    model = onnx.load(str(path))
    found = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    return {name: values for name, values in found.items() if values.ndim or values.dtype != "f4"}


@pytest.mark.slow
def test_the_built_in_model_is_made_from_the_kept_weights(tmp_path, monkeypatch):
    """Which are kept as half floats: a weight of the shipped bundle is one step away at most."""
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "bundle"
    asked = ["export", "linnet-mini", "--weights", str(ROOT / "model_export/weights")]
    assert main([*asked, "--release", "0.2.0", "--out", str(out)]) == ExitCode.OK
    made, shipped = Bundle.open(out), Bundle.open(ROOT / "bundles/linnet_mini-en")
    assert made.manifest.files.keys() == shipped.manifest.files.keys()
    for name, part in shipped.manifest.parts.items():
        ours = made.manifest.parts[name]
        assert (ours.precision, ours.inputs, ours.state, ours.profile, ours.bytes) == (
            part.precision, part.inputs, part.state, part.profile, part.bytes,
        )  # fmt: skip
        found, wanted = weights(made.part(name).path), weights(shipped.part(name).path)
        assert found.keys() == wanted.keys()
        for each, values in wanted.items():
            assert found[each].dtype == values.dtype
            if values.dtype == np.int8:
                assert np.abs(found[each].astype(int) - values).max(initial=0) <= 1
            else:
                atol = 1e-3 * np.abs(values).max(initial=0)
                np.testing.assert_allclose(found[each], values, atol=atol)
    figures = [
        {k for k in m.evaluation if k[:5] == "gate."} for m in (made.manifest, shipped.manifest)
    ]
    assert figures[0] == figures[1] != set()
    assert made.manifest.self_test is not None
    heard, _ = soundfile.read(made.file("self_test"), dtype="float32")
    codes = codes_of(OnnxCpuEngine(made.part("tokenizer")), heard)
    assert tuple(codes) == made.manifest.self_test.tokens
    old = codes_of(OnnxCpuEngine(shipped.part("tokenizer")), heard)
    assert np.mean(np.array(old) == np.array(codes)) > 0.8
