"""From checkpoints to a bundle: graphs, INT8, manifest, self-test.

``python -m model_export.release --version 0.1.0 --out bundles/linnet_mini-en`` first packs the fp32
graphs, streams real utterances through them to see how large activations get, then packs the INT8
ones. The fp32 bundle stays beside the checkpoints: ``linnet eval --bundle`` compares the two. When
the bundle was measured, ``--annotate facts.json`` packs it again with its figures and weights.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import soundfile

from device.bundle import Bundle, ManifestHead
from device.engine.contract import Array, Engine
from device.engine.onnx_cpu import OnnxCpuEngine
from device.manifest import Hardware, Schedule, SelfTest
from device.speech.language_model import LanguageModel
from device.speech.tokenizer import SpeechTokenizer
from model_export.families.glm import GlmConfig
from model_export.families.glm_graph import export_glm
from model_export.families.linnet_mini.decoder_graphs import export_speech_decoder, export_vocoder
from model_export.families.linnet_mini.speech_decoder import SpeechDecoder
from model_export.families.linnet_mini.tokenizer_graph import export_tokenizer
from model_export.families.linnet_mini.vocoder import Vocoder
from model_export.pack import PartSource, pack
from model_export.quantize import quantize
from model_export.training.codes import read_codes
from model_export.training.corpus import read_shard, shard_names
from model_export.training.decoder_trainer import load_weights
from model_export.training.lm import CODES, load_lm
from model_export.training.run import keep
from model_export.training.sequences import understanding
from model_export.training.tokenizer import load_tokenizer
from services.language.prompt import SCHEDULE
from services.language.vocabulary import Vocabulary

MODEL_CARD = Path("docs/model_card.md")
CALIBRATION_CLIPS = 48
LM_MAX_LEN = GlmConfig(vocab=64).max_len
LICENCE = "Apache-2.0"
NOTICE = (
    "Trained from scratch on synthetic speech of espeak-ng (GPL-3.0 program, output unencumbered), "
    "flite and festival voices (CMU and CSTR licences, free to redistribute), templates of "
    "home-assistant-intents (CC BY 4.0, Open Home Foundation), CLINC150 (CC BY 3.0), "
    "NLU-Evaluation-Data (CC BY 4.0), and labelled recordings: Picovoice benchmarks (Apache-2.0), "
    "Mycroft Precise community data (public domain), DSPSpeech-20 (MIT), ARCTIC prompts read by "
    "Kathleen (CC0), LJSpeech (public domain), LibriSpeech test-other (CC BY 4.0)."
)
# What stays in float: the heads and the neck, where a rounding is a wrong letter or a wrong code.
TOKENIZER_FLOAT = ("*ctc*", "*pool*", "*quantiser*", "*expand*")
LM_FLOAT = ("*output_layer*",)
# Least, usual and greatest sizes of open dims, for engines that plan ahead. The tokenizer looks back
# 72 rows; rows are the logits that are asked for, one but when a given text is judged.
PROFILES: Mapping[str, Mapping[str, tuple[int, int, int]]] = {
    "tokenizer": {"P": (0, 64, 72)},
    "lm": {"T": (1, 1, 128), "P": (0, 256, LM_MAX_LEN - 1), "R": (1, 1, 64)},
    "speech_decoder": {"tokens": (1, 10, 64)},
    "vocoder": {"frames": (1, 80, 512)},
}


@dataclass(frozen=True)
class Sources:
    """Where the checkpoints are."""

    tokenizer: Path
    lm: Path
    decoder: Path
    vocoder: Path
    vocabulary: Path
    corpus: Path
    codes: Path


class Recorder:
    """An engine that remembers what it was fed."""

    def __init__(self, engine: Engine, keep: int) -> None:
        self.spec, self.backend, self._engine = engine.spec, engine.backend, engine
        self.feeds: list[dict[str, Array]] = []
        self._keep = keep
        self.new_state = engine.new_state
        self.warm_up, self.close = engine.warm_up, engine.close

    def run(self, feeds: Mapping[str, Array], state: object = None) -> dict[str, Array]:
        known = state.feeds() if state is not None else {}  # type: ignore[attr-defined]
        if len(self.feeds) < self._keep:
            self.feeds.append({k: np.array(v) for k, v in {**feeds, **known}.items()})
        return self._engine.run(feeds, state)  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--training", type=Path, default=Path(".training"))
    parser.add_argument("--out", type=Path, default=Path("bundles/linnet_mini-en"))
    parser.add_argument("--version", default="0.1.0")
    parser.add_argument("--weights", type=Path, help="folder to keep the checkpoints' weights in")
    parser.add_argument("--annotate", type=Path, metavar="FACTS", help="only pack --out again")
    args = parser.parse_args()
    if args.annotate is not None:
        annotate(args.out, args.annotate)
        return
    base: Path = args.training
    sources = Sources(
        base / "tokenizer/checkpoint.pt", base / "lm/checkpoint.pt", base / "t2m",
        base / "vocoder_t2m", base / "ranks.tiktoken", base / "corpus", base / "codes",
    )  # fmt: skip
    release(sources, args.version, args.out, base / "bundle-fp32")
    if args.weights is not None:
        keep_weights(sources, args.weights)


def release(sources: Sources, version: str, out: Path, out_fp32: Path) -> Bundle:
    """Pack the fp32 bundle, calibrate on it, pack the INT8 bundle; returns the latter."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        export_all(sources, work)
        precision = {"tokenizer": "fp32", "lm": "fp32", "speech_decoder": "fp32", "vocoder": "fp32"}
        plain = _pack(sources, work, precision, version, out_fp32)
        feeds = {
            "tokenizer": tokenizer_feeds(plain, sources.corpus),
            "lm": lm_feeds(plain, sources),
        }
        _quantise(work, "tokenizer", feeds["tokenizer"], TOKENIZER_FLOAT)
        _quantise(work, "lm", feeds["lm"], LM_FLOAT)
        _weights_only(work, "speech_decoder")
        precision |= {"tokenizer": "w8a8", "lm": "w8a8", "speech_decoder": "w8"}
        return _pack(sources, work, precision, version, out)


def keep_weights(sources: Sources, folder: Path) -> None:
    """Half-precision weights of every part, from which training can go on with ``--init``."""
    keep(sources.tokenizer, folder / "tokenizer.pt")
    keep(sources.lm, folder / "lm.pt")
    keep(sources.decoder / "last.pt", folder / "t2m.pt")
    keep(sources.vocoder / "last.pt", folder / "vocoder.pt")


def export_all(sources: Sources, work: Path) -> None:
    """The four graphs in fp32."""
    export_tokenizer(load_tokenizer(sources.tokenizer), work / "tokenizer.onnx")
    export_glm(load_lm(sources.lm), work / "lm.onnx")
    decoder, vocoder = SpeechDecoder(), Vocoder()
    load_weights(decoder, sources.decoder)
    load_weights(vocoder, sources.vocoder)
    export_speech_decoder(decoder, work / "speech_decoder.onnx")
    export_vocoder(vocoder, work / "vocoder.onnx")


def tokenizer_feeds(bundle: Bundle, corpus: Path) -> list[dict[str, Array]]:
    """What the tokenizer is fed while it streams utterances of the corpus."""
    recorder = Recorder(OnnxCpuEngine(bundle.part("tokenizer")), keep=400)
    for pcm in _utterances(corpus, CALIBRATION_CLIPS):
        tokenizer = SpeechTokenizer(recorder)
        tokenizer.hear(pcm)
        tokenizer.finish()
    return recorder.feeds


def lm_feeds(bundle: Bundle, sources: Sources) -> list[dict[str, Array]]:
    """What the language model is fed: prompts in one piece and tokens one by one."""
    recorder = Recorder(OnnxCpuEngine(bundle.part("lm")), keep=400)
    vocabulary = Vocabulary.load(sources.vocabulary, CODES)
    rng = random.Random(3)
    for said in islice(read_codes(sources.codes), 24):
        ids = understanding(vocabulary, said, rng, 0.0).ids.tolist()
        model = LanguageModel(recorder, LM_MAX_LEN)
        model.read(ids[:-6])
        for token in ids[-6:]:
            model.read([token])
    return recorder.feeds


def _utterances(corpus: Path, count: int) -> list[npt.NDArray[np.float32]]:
    clips = list(read_shard(corpus, shard_names(corpus)[0]))
    return [clip.pcm.astype(np.float32) / 32_768.0 for clip in clips[:count]]


def _quantise(
    work: Path, part: str, feeds: list[dict[str, Array]], keep: tuple[str, ...]
) -> None:
    model = onnx.load(work / f"{part}.onnx")
    labels = [node.name for node in model.graph.node]
    present = [p for p in keep if any(p.strip("*") in label for label in labels)]
    done = quantize(model, "w8a8", feeds=feeds, percent=99.99, exclude=present)
    onnx.save(done.model, work / f"{part}.onnx")


def _weights_only(work: Path, part: str) -> None:
    model = onnx.load(work / f"{part}.onnx")
    done = quantize(model, "w8", op_types=("Conv", "MatMul", "Gemm"))
    onnx.save(done.model, work / f"{part}.onnx")


def _pack(
    sources: Sources, work: Path, precision: Mapping[str, str], version: str, out: Path
) -> Bundle:
    parts = {
        name: PartSource(work / f"{name}.onnx", kind, PROFILES[name])  # type: ignore[arg-type]
        for name, kind in precision.items()
    }
    self_test = work / "self_test.wav"
    pcm = _utterances(sources.corpus, 1)[0]
    soundfile.write(self_test, pcm, 16_000, subtype="PCM_16")
    files = {"vocabulary": sources.vocabulary, "self_test": self_test, "model_card": MODEL_CARD}
    head = _head(version, None)
    # Packed twice: the tokens of the self-test are what these very graphs say.
    first = pack(out, head, parts, files, replace=True)
    tokenizer = SpeechTokenizer(OnnxCpuEngine(first.part("tokenizer")))
    heard, _ = soundfile.read(self_test, dtype="float32")
    blocks = tokenizer.hear(heard) + tokenizer.finish()
    tokens = tuple(int(code) for block in blocks for code in block.codes)
    self_tested = SelfTest(file="self_test.wav", tokens=tokens)
    head = _head(version, self_tested)
    return pack(out, head, parts, files, replace=True)


def _head(version: str, self_test: SelfTest | None) -> ManifestHead:
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
        config={"codes": CODES, "lm_max_len": LM_MAX_LEN, "voice": "flite-slt"},
    )


def annotate(out: Path, facts: Path) -> Bundle:
    """Pack a bundle again with what was learnt about it since: weights, figures, model card.

    ``facts`` is JSON of ``{"evaluation": {name: number}, "rescoring": {weight: number}}`` and, for
    a language model that has read typed lines, ``"typed_accept"``: the score to believe it from.
    """
    bundle, found = Bundle.open(out), json.loads(facts.read_text())
    old = bundle.manifest
    head = {name: getattr(old, name) for name in ManifestHead.model_fields}
    head["evaluation"] = found["evaluation"]
    head["config"] = dict(old.config) | {f"rescoring_{k}": v for k, v in found["rescoring"].items()}
    if "typed_accept" in found:
        head["config"]["typed_accept"] = float(found["typed_accept"])
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(out, Path(folder) / "bundle"))
        parts = {
            name: PartSource(copy / p.file, p.precision, PROFILES[name])
            for name, p in old.parts.items()
        }
        files = {name: copy / stored.file for name, stored in old.files.items()}
        files["model_card"] = MODEL_CARD
        return pack(out, ManifestHead(**head), parts, files, replace=True)


if __name__ == "__main__":
    main()
