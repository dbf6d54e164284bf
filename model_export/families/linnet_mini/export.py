"""The built-in model as a bundle: checkpoints to four graphs, rounded, judged and packed.

The one way a ``linnet_mini`` bundle is made: by ``linnet export linnet-mini`` from the weights in
the repository, and by ``model_export.release`` from a training run.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import soundfile

from device.bundle import Bundle, Hardware, ManifestHead, Schedule, SelfTest
from device.engine.contract import Array, Engine
from device.engine.onnx_cpu import OnnxCpuEngine
from device.speech.language_model import LanguageModel
from device.speech.tokenizer import codes_of
from device.speech_activity import last_voiced
from model_export import gates
from model_export.families.glm import GlmConfig
from model_export.families.glm_graph import export_glm
from model_export.families.linnet_mini.decoder_graphs import export_speech_decoder, export_vocoder
from model_export.families.linnet_mini.speech_decoder import SpeechDecoder
from model_export.families.linnet_mini.tokenizer_graph import export_tokenizer
from model_export.families.linnet_mini.vocoder import Vocoder
from model_export.gates import Gate
from model_export.onnx_graph import ExportError, load
from model_export.pack import pack
from model_export.parts import Form, Recipe, make_part, unpacked
from model_export.samples import held_out
from model_export.training.decoder_trainer import load_weights
from model_export.training.lm import CODES, load_lm
from model_export.training.tokenizer import load_tokenizer
from model_export.workplace import Made, Workplace
from services.language.prompt import SCHEDULE, user_speech
from services.language.vocabulary import Vocabulary

Floats = npt.NDArray[np.float32]
LM_MAX_LEN = GlmConfig(vocab=64).max_len
_ROOT = Path(__file__).parents[3]
MODEL_CARD = _ROOT / "docs/model_card.md"
GATE = _ROOT / "services/demo/recordings/bed-light.wav"
"""What a release has to answer on each device before it is kept: wake word, then a command."""
GATE_CALL = 'HassTurnOn {"name": "bed light"}'
MARGIN = 2400  # samples of silence that stay around it
CALLS = 400  # of an engine that are kept to calibrate on
ALONE = 6  # last ids of a prompt that are read one by one, as in decoding
LICENCE = "Apache-2.0"
NOTICE = (
    "Trained from scratch on synthetic speech of espeak-ng (GPL-3.0 program, output unencumbered), "
    "flite and festival voices (CMU and CSTR licences, free to redistribute), templates of "
    "home-assistant-intents (CC BY 4.0, Open Home Foundation), CLINC150 (CC BY 3.0), "
    "NLU-Evaluation-Data (CC BY 4.0), and labelled recordings: Picovoice benchmarks (Apache-2.0), "
    "Mycroft Precise community data (public domain), DSPSpeech-20 (MIT), ARCTIC prompts read by "
    "Kathleen (CC0), LJSpeech (public domain), LibriSpeech test-other (CC BY 4.0)."
)
# Heads and neck stay in float: there a rounding is a wrong letter or a wrong code. The tokenizer
# looks back 72 rows; rows are the logits asked for, one but when a given text is judged.
RECIPES: Mapping[str, Recipe] = {
    "tokenizer": Recipe(
        profile={"P": (0, 64, 72)},
        gate=Gate("codes", "agreement", 0.90),
        float_weights=("*ctc*", "*pool*", "*expand*"),
        exact=("*ctc*", "*pool*", "*expand*", "*codebook*"),
    ),
    "lm": Recipe(
        profile={"T": (1, 1, 128), "P": (0, 256, LM_MAX_LEN - 1), "R": (1, 1, 64)},
        gate=Gate("logits", "top1", 0.90),
        float_weights=("head.*",),
        exact=("head.*",),
    ),
    "speech_decoder": Recipe(
        profile={"tokens": (1, 10, 64)},
        gate=Gate("mel", "l1", 0.05),
        op_types=("Conv", "MatMul", "Gemm"),
    ),
    "vocoder": Recipe(
        profile={"frames": (1, 80, 512)},
        gate=Gate("wave", "snr_db", 30.0),
        exact=("*basis*", "*inverse*"),
        constant_only=True,
    ),
}
PROFILES = {name: recipe.profile for name, recipe in RECIPES.items()}
FORMS: Mapping[str, Mapping[str, Form]] = {
    "fp32": dict.fromkeys(RECIPES, "fp32"),
    "fp16": dict.fromkeys(RECIPES, "fp16"),
    "int8": {"tokenizer": "w8a8", "lm": "w8a8", "speech_decoder": "w8", "vocoder": "fp32"},
}


@dataclass(frozen=True)
class Checkpoints:
    """Files that training writes, or their weights as the repository keeps them."""

    tokenizer: Path
    lm: Path
    decoder: Path
    vocoder: Path
    vocabulary: Path

    @classmethod
    def kept(cls, folder: Path, vocabulary: Path) -> Checkpoints:
        """Those that ``release`` keeps in a folder."""
        names = ("tokenizer.pt", "lm.pt", "t2m.pt", "vocoder.pt")
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise ExportError(f"{folder}: lacks {', '.join(missing)}")
        tokenizer, lm, decoder, vocoder = (folder / name for name in names)
        return cls(tokenizer, lm, decoder, vocoder, vocabulary)

    def stamp(self) -> str:
        """Changes when a file does."""
        found = []
        for path in (self.tokenizer, self.lm, self.decoder, self.vocoder, self.vocabulary):
            file = path / "last.pt" if path.is_dir() else path
            found.append(f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}")
        return "\n".join(found)


@dataclass
class Speech:
    """What to calibrate on: utterances at 16 kHz, and prompts where they are known already."""

    pcm: Sequence[Floats]
    prompts: Sequence[Sequence[int]] = ()
    codes: list[list[int]] = field(default_factory=list)

    def split(self) -> tuple[Speech, Speech]:
        """What sets ranges and what a part is judged by: itself twice, where it is little."""
        pcm, prompts = held_out(len(self.pcm)), held_out(len(self.prompts))
        if pcm[0] == pcm[1]:
            return self, self
        calibration, judged = (
            Speech(
                [self.pcm[n] for n in numbers],
                [self.prompts[n] for n in texts],
                [self.codes[n] for n in numbers if self.codes],
            )
            for numbers, texts in zip(pcm, prompts, strict=True)
        )
        return calibration, judged


class Recorder:
    """An engine that remembers what it was fed."""

    def __init__(self, engine: Engine) -> None:
        self.spec, self.backend, self._engine = engine.spec, engine.backend, engine
        self.feeds: list[dict[str, Array]] = []
        self.new_state = engine.new_state
        self.warm_up, self.close = engine.warm_up, engine.close

    def run(self, feeds: Mapping[str, Array], state: object = None) -> dict[str, Array]:
        known = state.feeds() if state is not None else {}  # type: ignore[attr-defined]
        if len(self.feeds) < CALLS:
            self.feeds.append({k: np.array(v) for k, v in {**feeds, **known}.items()})
        return self._engine.run(feeds, state)  # type: ignore[arg-type]


def export(
    checkpoints: Checkpoints,
    speech: Speech,
    out: Path,
    *,
    precision: str = "int8",
    version: str = "0.1.0",
    smooth: float | None = None,
    bars: Mapping[str, float] | None = None,
    scales_of: Bundle | None = None,
    said: Callable[[str], None] = lambda line: None,
) -> Bundle:
    """Write the bundle; finished parts wait beside it, so an interrupted export goes on.

    Args:
        scales_of: an earlier release; its weights' scales are kept where they serve, so that a
            delta to it is small.

    Raises:
        ExportError: a gate or the lint refuses a part, or there is no speech, or not that which a
            release has to answer.
    """
    if not speech.pcm:
        raise ExportError("linnet-mini: needs speech to calibrate on; give some")
    asked = without_silence(GATE)  # now, and not after minutes
    job = _Job(checkpoints, speech, precision, smooth, bars or {}, scales_of, said)
    place = Workplace(out)
    made = {}
    for number, name in enumerate(RECIPES, 1):
        made[name], kept = place.part(name, job.made_of(name), partial(job.make, name))
        said(f"[{number}/{len(RECIPES)}] {name}{': finished before, kept' if kept else ''}")
    bundle = _packed(made, checkpoints.vocabulary, speech.pcm[0], asked, version, place.root, out)
    place.clear()
    return bundle


def gate_figures(bundle: Bundle, checkpoints: Checkpoints, speech: Speech) -> dict[str, float]:
    """How far the rounded parts of a bundle are from the float graphs of their checkpoints.

    For a bundle whose figures were lost; an export measures them itself.

    Raises:
        GateFailed: further than may be.
    """
    job, figures = _Job(checkpoints, speech, "fp32", None, {}), dict[str, float]()
    for name, part in bundle.manifest.parts.items():
        gate = RECIPES[name].gate
        if part.precision == "fp32" or gate is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            path, engine = job.exact(name, Path(folder))
            feeds = job.feeders[name](engine, speech)
            value = gates.measured(load(path), load(bundle.part(name).path), feeds, gate)
        figures |= gates.judged(name, gate, value)
    return figures


class _Job:
    def __init__(
        self, checkpoints: Checkpoints, speech: Speech, precision: str, smooth: float | None,
        bars: Mapping[str, float], scales_of: Bundle | None = None,
        said: Callable[[str], None] = lambda line: None,
    ) -> None:  # fmt: skip
        self.scales_of, self.said = scales_of, said
        self.checkpoints, self.speech, self.smooth, self.bars = checkpoints, speech, smooth, bars
        self.calibration, self.judged = speech.split()
        self.forms = FORMS[precision]
        self.writers: Mapping[str, Callable[[Path], None]] = {
            "tokenizer": self._tokenizer, "lm": self._lm,
            "speech_decoder": self._decoder, "vocoder": self._vocoder,
        }  # fmt: skip
        self.feeders: Mapping[str, Callable[[Engine, Speech], list[dict[str, Array]]]] = {
            "tokenizer": self._hear, "lm": self._read,
            "speech_decoder": self._say, "vocoder": self._sound,
        }  # fmt: skip

    def made_of(self, name: str) -> str:
        facts = [
            name,
            self.forms[name],
            str(self.smooth),
            repr(self.bars.get(name)),
            self.checkpoints.stamp(),
        ]
        if self.scales_of is not None:
            facts.append(self.scales_of.manifest.parts[name].sha256)
        digest = hashlib.sha256("\n".join(facts).encode())
        for pcm in self.speech.pcm:
            digest.update(pcm.tobytes())
        return digest.hexdigest()

    def make(self, name: str, folder: Path) -> Made:
        """Export once; what the float graph is fed of some speech decides the ranges of the
        rounded one, and what it is fed of other speech judges it.
        """
        path, engine = self.exact(name, folder)
        feeds = self.feeders[name](engine, self.calibration)
        alone = self.judged is self.calibration
        judged = feeds if alone else self.feeders[name](engine, self.judged)
        smooth = self.smooth if self.forms[name] == "w8a8" else None
        return make_part(
            name, folder, lambda to: _rename(path, to), self.forms[name], RECIPES[name], feeds,
            judged=judged, smooth=smooth, bar=self.bars.get(name), earlier=self._earlier(name),
            said=self.said,
        )  # fmt: skip

    def _earlier(self, name: str) -> onnx.ModelProto | None:
        return None if self.scales_of is None else load(self.scales_of.part(name).path)

    def exact(self, name: str, folder: Path) -> tuple[Path, Engine]:
        """The float graph of a part, and it at work."""
        path = folder / "float.onnx"
        self.writers[name](path)
        return path, OnnxCpuEngine(unpacked(name, path, "fp32", RECIPES[name].profile))

    def _tokenizer(self, to: Path) -> None:
        export_tokenizer(load_tokenizer(self.checkpoints.tokenizer), to)

    def _lm(self, to: Path) -> None:
        export_glm(load_lm(self.checkpoints.lm), to)

    def _decoder(self, to: Path) -> None:
        model = SpeechDecoder()
        load_weights(model, self.checkpoints.decoder)
        export_speech_decoder(model, to)

    def _vocoder(self, to: Path) -> None:
        model = Vocoder()
        load_weights(model, self.checkpoints.vocoder)
        export_vocoder(model, to)

    def _hear(self, engine: Engine, speech: Speech) -> list[dict[str, Array]]:
        """What the tokenizer is fed while it streams the utterances."""
        recorder = Recorder(engine)
        speech.codes[:] = [codes_of(recorder, pcm) for pcm in speech.pcm]
        return recorder.feeds

    def _read(self, engine: Engine, speech: Speech) -> list[dict[str, Array]]:
        """Prompts in one piece, their last ids one by one."""
        recorder = Recorder(engine)
        for ids in self._prompts(speech):
            model = LanguageModel(recorder, LM_MAX_LEN)
            model.read(ids[:-ALONE])
            for token in ids[-ALONE:]:
                model.read([token])
        return recorder.feeds

    def _prompts(self, speech: Speech) -> Sequence[Sequence[int]]:
        if speech.prompts:
            return speech.prompts
        vocabulary = Vocabulary.load(self.checkpoints.vocabulary, CODES)
        return [user_speech(vocabulary, codes) for codes in self._codes(speech) if codes]

    def _codes(self, speech: Speech) -> list[list[int]]:
        """What the float tokenizer hears; worked out again when its part was kept."""
        if not speech.codes:
            with tempfile.TemporaryDirectory() as folder:
                _, engine = self.exact("tokenizer", Path(folder))
                self._hear(engine, speech)
        return speech.codes

    def _say(self, engine: Engine, speech: Speech) -> list[dict[str, Array]]:
        recorder = Recorder(engine)
        for codes in self._codes(speech):
            if codes:
                recorder.run({"tokens": np.array([codes], np.int64)}, engine.new_state(1))
        return recorder.feeds

    def _sound(self, engine: Engine, _: Speech) -> list[dict[str, Array]]:
        """Frames of a steady voice: the vocoder is judged, never calibrated."""
        rng = np.random.default_rng(0)
        mel = (-5.6 + 2.0 * rng.standard_normal((1, 80, 40))).astype(np.float32)
        pitch = np.stack([np.full(40, 5.16), np.ones(40)])[None].astype(np.float32)
        recorder = Recorder(engine)
        recorder.run({"mel": mel, "pitch": pitch}, engine.new_state(1))
        return recorder.feeds


def without_silence(recording: Path) -> Floats:
    """A recording at 16 kHz but for the silence around it: devices hear it at real pace, often.

    Raises:
        ExportError: it cannot be read.
    """
    try:
        pcm, _ = soundfile.read(recording, dtype="float32")
    except soundfile.SoundFileError as error:
        raise ExportError(f"{recording}: what a release has to answer cannot be read") from error
    first, last = len(pcm) - last_voiced(pcm[::-1]), last_voiced(pcm)
    return np.asarray(pcm[max(0, first - MARGIN) : last + MARGIN], np.float32)


def _rename(path: Path, to: Path) -> None:
    path.rename(to)


def _packed(
    made: Mapping[str, Made], vocabulary: Path, utterance: Floats, asked: Floats, version: str,
    work: Path, out: Path,
) -> Bundle:  # fmt: skip
    wav = work / "self_test.wav"
    soundfile.write(wav, utterance, 16_000, subtype="PCM_16")
    heard, _ = soundfile.read(wav, dtype="float32")
    tokenizer = made["tokenizer"]
    engine = OnnxCpuEngine(
        unpacked("tokenizer", tokenizer.model, tokenizer.precision, tokenizer.profile)
    )
    self_test = SelfTest(file=wav.name, tokens=tuple(codes_of(engine, heard)))
    figures = {k: v for item in made.values() for k, v in item.figures.items()}
    files = {"vocabulary": vocabulary, "self_test": wav, "gate": work / "gate.wav"}
    soundfile.write(files["gate"], asked, 16_000, subtype="PCM_16")
    if MODEL_CARD.is_file():  # an installed package is without it
        files["model_card"] = MODEL_CARD
    parts = {name: item.source() for name, item in made.items()}
    return pack(out, head(version, self_test, figures), parts, files, replace=True)


def head(version: str, self_test: SelfTest | None, figures: Mapping[str, float]) -> ManifestHead:
    """All that a bundle of this family says about itself."""
    return ManifestHead(
        family="linnet_mini",
        version=version,
        languages=("en",),
        sample_rate_in=16_000,
        sample_rate_out=16_000,
        schedule=Schedule(text=SCHEDULE.text, audio=SCHEDULE.audio),
        licence=LICENCE,
        notice=NOTICE,
        minimum_runtime="0.1.0",
        hardware=Hardware(memory_mb=512),
        self_test=self_test,
        evaluation=dict(figures),
        config={
            "codes": CODES,
            "lm_max_len": LM_MAX_LEN,
            "voice": "flite-slt",
            "gate_call": GATE_CALL,
        },
    )
