"""From checkpoints to a bundle: graphs, INT8, manifest, self-test.

``python -m model_export.release --version 0.1.0 --out bundles/linnet_mini-en`` first packs the fp32
graphs, streams real utterances through them to see how large activations get, then packs the INT8
ones. The fp32 bundle stays beside the checkpoints: ``linnet eval --bundle`` compares the two. When
the bundle was measured, ``--annotate facts.json`` packs it again with its figures and weights;
``--gate model_export/weights`` packs it again with how far its parts are from the kept weights, on
the recordings of the demo. Graphs stay as they are, byte by byte.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device.bundle import Bundle, ManifestHead
from model_export import gates
from model_export.commands.export import read_speech
from model_export.families.linnet_mini.export import (
    GATE,
    MODEL_CARD,
    PROFILES,
    Checkpoints,
    Speech,
    export,
    gate_figures,
)
from model_export.pack import PartSource, pack
from model_export.training.codes import read_codes
from model_export.training.corpus import read_shard, shard_names
from model_export.training.lm import CODES
from model_export.training.run import keep
from model_export.training.sequences import understanding
from services.language.vocabulary import Vocabulary

CALIBRATION_CLIPS = 48


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--training", type=Path, default=Path(".training"))
    parser.add_argument("--out", type=Path, default=Path("bundles/linnet_mini-en"))
    parser.add_argument("--version", default="0.1.0")
    parser.add_argument("--weights", type=Path, help="folder to keep the checkpoints' weights in")
    parser.add_argument(
        "--scales-of", type=Path, metavar="BUNDLE", help="keep its scales, for small deltas"
    )
    parser.add_argument("--annotate", type=Path, metavar="FACTS", help="only pack --out again")
    parser.add_argument("--gate", type=Path, metavar="WEIGHTS", help="only pack --out again")
    args = parser.parse_args()
    if args.annotate is not None:
        annotate(args.out, args.annotate)
        return
    if args.gate is not None:
        gate(args.out, args.gate, Speech(read_speech(GATE.parent)))
        return
    base: Path = args.training
    sources = Sources(
        base / "tokenizer/checkpoint.pt", base / "lm/checkpoint.pt", base / "t2m",
        base / "vocoder_t2m", base / "ranks.tiktoken", base / "corpus", base / "codes",
    )  # fmt: skip
    earlier = Bundle.open(args.scales_of) if args.scales_of is not None else None
    release(sources, args.version, args.out, base / "bundle-fp32", earlier)
    if args.weights is not None:
        keep_weights(sources, args.weights)


def release(
    sources: Sources, version: str, out: Path, out_fp32: Path, scales_of: Bundle | None = None
) -> Bundle:
    """Pack the fp32 bundle and the INT8 one from the same speech; returns the latter."""
    checkpoints = Checkpoints(
        sources.tokenizer, sources.lm, sources.decoder, sources.vocoder, sources.vocabulary
    )
    speech = Speech(_utterances(sources.corpus, CALIBRATION_CLIPS), _prompts(sources))
    export(checkpoints, speech, out_fp32, precision="fp32", version=version)
    return export(
        checkpoints, speech, out, precision="int8", version=version, scales_of=scales_of, said=print
    )


def keep_weights(sources: Sources, folder: Path) -> None:
    """Half-precision weights of every part, from which training can go on with ``--init``."""
    keep(sources.tokenizer, folder / "tokenizer.pt")
    keep(sources.lm, folder / "lm.pt")
    keep(sources.decoder / "last.pt", folder / "t2m.pt")
    keep(sources.vocoder / "last.pt", folder / "vocoder.pt")


def _prompts(sources: Sources) -> list[list[int]]:
    """Speech, transcript and call, as the model was trained to read and write them."""
    vocabulary = Vocabulary.load(sources.vocabulary, CODES)
    rng = random.Random(3)
    said = islice(read_codes(sources.codes), 24)
    return [understanding(vocabulary, one, rng, 0.0).ids.tolist() for one in said]


def _utterances(corpus: Path, count: int) -> list[npt.NDArray[np.float32]]:
    clips = list(read_shard(corpus, shard_names(corpus)[0]))
    return [clip.pcm.astype(np.float32) / 32_768.0 for clip in clips[:count]]


def annotate(out: Path, facts: Path) -> Bundle:
    """Pack a bundle again with what was learnt about it since: weights, figures, model card.

    ``facts`` is JSON of ``{"evaluation": {name: number}, "rescoring": {weight: number}}`` and, for
    a language model that has read typed lines, ``"typed_accept"``: the score to believe it from.
    What its parts were gated by stays.
    """
    old, found = Bundle.open(out).manifest, json.loads(facts.read_text())
    gated = {k: v for k, v in old.evaluation.items() if k.startswith(gates.PREFIX)}
    config = dict(old.config) | {f"rescoring_{k}": v for k, v in found["rescoring"].items()}
    if "typed_accept" in found:
        config["typed_accept"] = float(found["typed_accept"])
    return _again(out, evaluation={**gated, **found["evaluation"]}, config=config)


def gate(out: Path, weights: Path, speech: Speech) -> Bundle:
    """Pack a bundle again with the figures of ``gates``, measured against weights that were kept.

    Raises:
        GateFailed: a part is further from them than may be.
    """
    bundle = Bundle.open(out)
    figures = gate_figures(bundle, Checkpoints.kept(weights, bundle.file("vocabulary")), speech)
    return _again(out, evaluation={**bundle.manifest.evaluation, **figures})


def _again(out: Path, **changed: object) -> Bundle:
    """The same graphs and files, with the model card of now and other words in the head."""
    old = Bundle.open(out).manifest
    head = {name: getattr(old, name) for name in ManifestHead.model_fields}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(out, Path(folder) / "bundle"))
        parts = {
            name: PartSource(copy / p.file, p.precision, PROFILES[name])
            for name, p in old.parts.items()
        }
        files = {name: copy / stored.file for name, stored in old.files.items()}
        files["model_card"] = MODEL_CARD
        return pack(out, ManifestHead(**{**head, **changed}), parts, files, replace=True)


if __name__ == "__main__":
    main()
