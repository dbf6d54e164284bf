"""From the published layout to a bundle, with random weights at small width."""

from __future__ import annotations

import importlib
import importlib.util
import io
import re
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from device.bundle import Bundle
from device.engine.factory import EngineFactory
from device.engine.onnx_cpu import OnnxCpuEngine
from device.engine.tensorrt_build import build
from device.manifest import StoredFile
from device.speech.glm_frames import frames_of
from model_export.checkpoints.errors import CheckpointError
from model_export.checkpoints.synthetic import write_random_shards
from model_export.commands.export import run
from model_export.families.glm import Glm, causal_mask
from model_export.families.glm_4_voice.export import PARTS
from model_export.families.glm_4_voice.files import open_published
from model_export.families.glm_4_voice.licence import copied, licence_files
from model_export.families.glm_4_voice.lm_checkpoint import published_layout
from model_export.families.glm_4_voice.synthetic import Folders, write_vocabulary
from model_export.gates import GateFailed
from model_export.variants import variant
from services.cli import build_parser
from services.engine.golden import Golden, against_the_manifest, against_the_processor
from services.language.homeview import HomeView
from services.language.schedule import InterleaveSchedule
from services.voice.families.base import AudioDelta, TextDelta, TurnEnd
from services.voice.families.glm_4_voice import Glm4Voice
from tests.model_export.test_export_progress import Terminal
from tests.support.glm_checkpoint import CODES, LM, SIZES, write_checkpoints

pytestmark = pytest.mark.slow

# Random weights say next to nothing, so a rounding changes their mind more often than a trained
# model's; the bars here only tell a graph that computes the same from one that does not.
BARS = {
    "tokenizer": 0.5,
    "lm": 0.3,
    "flow_estimator": 0.5,
    "hift_decode": 10.0,
    "flow_encoder": 0.1,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return write_checkpoints(tmp_path_factory.mktemp("published"))


def opened(folders):
    return open_published(folders.tokenizer, folders.lm, folders.decoder, SIZES)


def write_speech(folder):
    folder.mkdir()
    rng = np.random.default_rng(0)
    time = np.arange(32_000) / 16_000
    for hz in (200, 340):
        tone = 0.3 * np.sin(2 * np.pi * hz * time) * np.hanning(time.size)
        soundfile.write(folder / f"{hz}.wav", tone + 0.01 * rng.standard_normal(time.size), 16_000)


def exported(folders, speech, out, bars, shown=None):
    """``linnet export glm-4-voice`` with the sizes of this decoder; what it told people."""
    asked = ["export", "glm-4-voice", "--precision", "int4", "--head", "int8", "--out", str(out)]
    for name in ("tokenizer", "lm", "decoder"):
        asked += [f"--{name}", str(getattr(folders, name))]
    asked += ["--speech", str(speech)]
    asked += [word for part, bar in bars.items() for word in ("--gate", f"{part}={bar}")]
    with redirect_stderr(shown or io.StringIO()) as said, redirect_stdout(io.StringIO()):
        try:
            run(build_parser().parse_args(asked), SIZES)
        except GateFailed as failed:
            return str(failed)
    return said.getvalue()


@pytest.fixture(scope="module")
def said():
    return []


@pytest.fixture(scope="module")
def bundle(folders, tmp_path_factory, said) -> Bundle:
    place = tmp_path_factory.mktemp("out")
    speech, out = place / "speech", place / "glm"
    write_speech(speech)
    # First the gate of a late part stops it: what is finished is not made again.
    terminal = Terminal()
    stopped = exported(folders, speech, out, BARS | {"hift_decode": 1e9}, terminal)
    assert terminal.getvalue().endswith("[7/7] hift_decode\n")  # what is wrong has its own line
    assert re.search(r"part hift_decode: snr_db of wave .* --gate hift_decode", stopped)
    assert not out.exists()
    said += exported(folders, speech, out, BARS).splitlines()
    return Bundle.open(out)


def test_every_part_is_there_in_its_precision(bundle):
    found = {name: part.precision for name, part in bundle.manifest.parts.items()}
    assert found == {
        "tokenizer": "w8a8", "lm": "w4", "flow_encoder": "fp16", "flow_regulator": "fp32",
        "flow_estimator": "w8a8", "hift_pitch": "fp32", "hift_decode": "fp16",
    }  # fmt: skip
    assert tuple(found) == PARTS
    assert bundle.file("lm.lm.weights").stat().st_size > 168_960 * 128


def test_the_manifest_says_what_a_step_of_the_language_model_reads(bundle):
    whole, table = bundle.file("lm.lm.weights").stat().st_size, 168_960 * 128 * 2
    # Small constants lie in the graph, and large ones begin at a page.
    assert bundle.manifest.config["lm_step_bytes"] == pytest.approx(whole - table, rel=0.02)


def test_parts_that_were_finished_are_kept(bundle, said):
    kept = [line for line in said if line.endswith("finished before, kept")]
    assert len(kept) == len(PARTS) - 1
    assert not [path for path in bundle.root.parent.iterdir() if path.name.startswith(".")]


def test_the_licence_travels_with_the_weights(bundle):
    assert "Built with glm-4" in bundle.manifest.notice
    assert bundle.file("licence").read_text() == "The licence of the weights.\n"
    names = {entry.file for key, entry in bundle.manifest.files.items() if "licence" in key}
    assert names == {"LICENSE.lm", "LICENSE.tokenizer"}


def test_licences_of_all_folders_are_found_and_none_is_lost(tmp_path):
    folders = {role: tmp_path / role for role in ("lm", "tokenizer", "decoder")}
    for role, folder in folders.items():
        folder.mkdir()
        (folder / "LICENSE").write_text(role)
    (folders["decoder"] / "Notice.txt").write_text("more")
    (folders["lm"] / "LICENSE-old").mkdir()
    (tmp_path / "place").mkdir()
    made = copied(licence_files(folders), tmp_path / "place")
    assert [path.read_text() for path in made.values()] == ["lm", "tokenizer", "decoder", "more"]
    assert list(made) == ["licence", "licence.2", "licence.3", "licence.4"]


def test_licences_of_any_name_have_names_that_a_bundle_takes(tmp_path):
    folder, place = tmp_path / "lm", tmp_path / "place"
    folder.mkdir()
    place.mkdir()
    odd = ["LICENSE (1).txt", "LICENSE [1].txt", "LICENSE 许可", "Notice" + "!" * 200]
    for name in [*odd, "LICENSE__1_.txt"]:
        (folder / name).write_text(name)
    found = licence_files({"lm": folder})
    made = copied(found, place)
    assert sorted(path.read_text() for path in made.values()) == sorted([*odd, "LICENSE__1_.txt"])
    for path in made.values():
        StoredFile(file=path.name, bytes=path.stat().st_size, sha256="0" * 64)
    assert {"LICENSE__1_.txt.lm", "LICENSE__1_.txt.lm.2", "LICENSE__1_.txt.lm.3"} < set(found)


def test_figures_stand_beside_their_bars(bundle):
    figures = bundle.manifest.evaluation
    assert figures["gate.lm.top1"] >= figures["gate.lm.top1.bar"] == 0.3
    assert figures["gate.flow_estimator.l1"] <= figures["gate.flow_estimator.l1.bar"]


def test_the_streamed_language_model_answers_as_the_float_one(bundle, folders):
    published = opened(folders)
    weights = published.lm_weights
    state = {name: torch.from_numpy(weights.read(name)) for name in weights.shapes}
    exact = Glm(published.lm_config)
    exact.load_state_dict(state)
    ids = np.random.default_rng(1).integers(0, 151_329, 12)
    with torch.no_grad():
        hidden, _ = exact.eval()(torch.from_numpy(ids)[None], torch.arange(12), causal_mask(12))
        wanted = exact.output_layer(hidden[0]).numpy()
    engine = OnnxCpuEngine(bundle.part("lm"))
    fed = {"ids": ids, "position_ids": np.arange(12), "mask": causal_mask(12).numpy()}
    found = engine.run({**fed, "rows": np.arange(12)}, engine.new_state(16))["logits"]
    snr = 10 * np.log10(np.square(wanted).sum() / np.square(found - wanted).sum())
    # Emulated layer by layer while it was written: the graph must do just that.
    assert abs(snr - bundle.manifest.evaluation["gate.lm.snr_db"]) < 2.0


class ThirteenAnd26:
    """Draws what a trained model would, in its order; the logits must allow it."""

    def __init__(self, vocabulary, codes):
        schedule, v = InterleaveSchedule(13, 26).cursor(), vocabulary
        self.ids = []
        while codes:
            audio = schedule.advance() == "audio"
            self.ids.append(v.first_code + 7 * codes % v.codes if audio else ord("a"))
            codes -= audio
        self.ids.append(v.tag("<|user|>"))

    def draw(self, logits, allowed):
        assert np.isfinite(logits).all()
        assert allowed[self.ids[0]]
        return self.ids.pop(0)


def test_the_box_opens_what_was_exported_and_it_speaks(bundle):
    model = Glm4Voice.open(bundle, EngineFactory("onnx"), calling=False)
    v = model.conversation.vocabulary
    assert (v.tag("<|user|>"), v.first_code, v.codes) == (151_336, 152_353, CODES)
    session = replace(model, drawing=lambda *_: ThirteenAnd26(v, 26)).session(HomeView((), ()))
    heard = np.random.default_rng(1).standard_normal(80_000).astype(np.float32)
    session.hear(0.1 * heard)
    before = session.history_length
    events = list(session.respond([]))
    pcm = np.concatenate([e.pcm for e in events if isinstance(e, AudioDelta)])
    assert len(pcm) == 256 * frames_of(26)
    assert np.isfinite(pcm).all()
    assert np.abs(pcm).max() > 0
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == 13 * "a"
    assert events[-1] == TurnEnd("done")
    assert session.history_length > before + 13 + 26
    session.commit(len(pcm))


def test_its_own_words_are_drawn_from_what_it_may_say(bundle):
    model = Glm4Voice.open(bundle, EngineFactory("onnx"), calling=False)
    session = model.session(HomeView((), ()))
    session.hear(np.zeros(16_000, np.float32))
    first = next(session.respond([]))
    assert isinstance(first, TextDelta | AudioDelta)


def test_the_bundle_passes_its_self_test_on_the_processor(bundle):
    engines = {part: OnnxCpuEngine(bundle.part(part)) for part in PARTS}
    golden = Golden.of(bundle)
    assert len(golden.tokens) == 25  # 2 s
    assert against_the_manifest(golden, engines, exact=True).ok
    checks = against_the_processor(golden, engines, engines)
    assert [check.name for check in checks if check.ok] == [
        "golden vectors, tokenizer", "golden vectors, lm", "golden vectors, voice",
    ]  # fmt: skip


needs_rtx = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None, reason="tensorrt-rtx is not installed"
)


@needs_rtx
@pytest.mark.rtx
@pytest.mark.parametrize("part", PARTS)
def test_every_part_builds(bundle, part):
    trt = importlib.import_module("tensorrt_rtx")
    assert len(build(trt, bundle.part(part), sm=86).plan) > 1000


@needs_rtx
@pytest.mark.rtx
@pytest.mark.parametrize(
    ("part", "wanted"),
    [
        ("tokenizer", "fp16"), ("flow_estimator", "fp16"),  # stored in int8, and built so above
        ("flow_encoder", "int8"), ("hift_decode", "int8"),  # stored in fp16
        ("flow_regulator", "fp16"), ("flow_regulator", "int8"),
        ("hift_pitch", "fp16"), ("hift_pitch", "int8"),
    ],
)  # fmt: skip
def test_every_part_builds_in_other_precisions(bundle, tmp_path, part, wanted):
    """The language model's are in test_glm_stream: int4 cannot be read back."""
    trt = importlib.import_module("tensorrt_rtx")
    made = variant(bundle.part(part), wanted, tmp_path)
    assert made != bundle.part(part)
    assert len(build(trt, made, sm=86).plan) > 1000


class Trap:
    """Makes a file when it is unpickled without care."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def without_a_shard(folders, ran):
    (folders.lm / "model-00003-of-00004.safetensors").unlink()


def cut_short(folders, ran):
    shard = folders.lm / "model-00003-of-00004.safetensors"
    whole = shard.read_bytes()
    shard.unlink()
    shard.write_bytes(whole[:-1000])


def of_another_shape(folders, ran):
    path = folders.decoder / "hift.pt"
    tensors = torch.load(path, weights_only=True)
    path.unlink()
    torch.save(tensors | {"conv_post.bias": torch.zeros(17)}, path)


def with_code(folders, ran):
    path = folders.decoder / "flow.pt"
    tensors = torch.load(path, weights_only=True)
    path.unlink()
    torch.save(tensors | {"trap": Trap(ran)}, path)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (without_a_shard, r"lacks model-00003-of-00004\.safetensors; fetch"),
        (cut_short, r"model-00003-of-00004\.safetensors"),
        (of_another_shape, r"shape: conv_post\.bias is \[17\], not \[18\]"),
        (with_code, r"flow\.pt: is refused, nothing in it was executed"),
    ],
)
def test_a_damaged_checkpoint_is_refused_and_leaves_nothing(folders, tmp_path, damage, complaint):
    places = {name: tmp_path / name for name in ("tokenizer", "lm", "decoder")}
    for name, place in places.items():
        place.mkdir()
        for path in getattr(folders, name).iterdir():
            (place / path.name).symlink_to(path)
    write_speech(tmp_path / "speech")
    damage(Folders(**places), tmp_path / "ran")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CheckpointError, match=complaint):
        exported(Folders(**places), tmp_path / "speech", tmp_path / "bundle", {})
    assert sorted(tmp_path.iterdir()) == before


def test_networks_that_do_not_belong_together_are_refused(folders, tmp_path):
    lm = tmp_path / "lm"
    small = LM.model_copy(update={"padded_vocab_size": 1024, "num_layers": 1})
    write_random_shards(lm, published_layout(small.glm()), 1)
    (lm / "config.json").write_text(small.model_dump_json())
    write_vocabulary(lm)
    sizes = replace(SIZES, flow=replace(SIZES.flow, codes=1024))
    with pytest.raises(CheckpointError) as caught:
        open_published(folders.tokenizer, lm, folders.decoder, sizes)
    assert "tokenizer: has 512 codes, and flow.pt 1024" in str(caught.value)
    assert "lm: has 1024 ids; the published vocabulary has 168737" in str(caught.value)


def test_all_faults_of_all_folders_are_said_at_once(folders, tmp_path):
    decoder = tmp_path / "decoder"
    decoder.mkdir()
    torch.save({"w": torch.zeros(3)}, decoder / "flow.pt")
    lm = tmp_path / "lm"
    lm.mkdir()
    for path in folders.lm.iterdir():
        (lm / path.name).symlink_to(path)
    (lm / "tokenizer_config.json").unlink()
    (lm / "tokenizer.model").unlink()
    write_vocabulary(lm, **{"<|user|>": 1})
    (lm / "model-00002-of-00004.safetensors").unlink()
    with pytest.raises(CheckpointError) as caught:
        open_published(folders.tokenizer, lm, decoder, SIZES)
    message = str(caught.value)
    assert "lacks model-00002-of-00004.safetensors" in message
    assert "<|user|> is 1, not 151336" in message
    assert "surplus: w [3]" in message
    assert "missing: encoder_proj.bias [80]" in message
    assert "hift.pt: cannot be read" in message
