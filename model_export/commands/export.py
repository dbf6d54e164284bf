"""``linnet export``: checkpoints of a speech model to a bundle that the box runs."""

from __future__ import annotations

import argparse
import re
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from device.bundle import Bundle
from model_export import lint
from model_export.onnx_graph import ExportError, load
from model_export.pack import check_target

if TYPE_CHECKING:  # torch takes seconds, and a wrong word on the command line none
    from model_export.families.glm_4_voice.files import DecoderSizes

MAX_CLIPS, MAX_SECONDS = 48, 30
RATE = 16_000
BAR_WIDTH = 24
NO_LICENCE = (
    "None of the three folders holds a licence file, so the bundle will not either: fetch LICENSE "
    "of the checkpoints before you pass it on."
)


def run(args: argparse.Namespace, sizes: DecoderSizes | None = None) -> Bundle:
    """Export what ``args`` asks for and say what came of it.

    Args:
        args: has family, out, precision, speech, smooth, head, gate, release and, by family,
            tokenizer, lm, decoder or weights, vocabulary.
        sizes: of GLM-4-Voice's decoder, where it is not the published one.
    """
    check_target(args.out, replace=args.family == "linnet-mini")
    progress = Progress()
    try:
        bundle = _FAMILIES[args.family](args, sizes, progress)
    finally:
        progress.end()
    for name, value in sorted(bundle.manifest.evaluation.items()):
        print(f"  {name:<40} {value:g}")
    for name in bundle.manifest.parts:
        for warning in lint.warnings(load(bundle.part(name).path, weights=False)):
            print(f"part {name}: {warning}", file=sys.stderr)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    size = sum(entry.bytes for entry in bundle.manifest.stored()) / 1e9
    print(f"{bundle.root}: {size:.2f} GB; the export needed at most {peak:.2f} GiB of memory")
    return bundle


_PART = re.compile(r"\[(\d+)/(\d+)\] ")
_LAYER = re.compile(r"(calibrating|writing) layer (\d+) of (\d+)")
_PASSES = ("calibrating", "writing")  # over a model that is read layer by layer, in this order


class Progress:
    """One line on a terminal that fills up; plain lines elsewhere."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._part, self._parts, self._within = 0, 1, 0.0
        self._shown = False

    def __call__(self, line: str) -> None:
        """Say what is being done; ``[2/7] name`` and ``layer 3 of 40`` tell how far along it is."""
        self._locate(line)
        if not self._live:
            print(line, file=sys.stderr, flush=True)
            return
        share = (self._part + self._within) / self._parts
        filled = round(BAR_WIDTH * share)
        bar = "█" * filled + "░" * (BAR_WIDTH - filled)
        print(f"\r\x1b[K{bar} {share:4.0%} {line}", end="", file=sys.stderr, flush=True)
        self._shown = True

    def _locate(self, line: str) -> None:
        if part := _PART.match(line):
            self._part, self._parts, self._within = int(part[1]) - 1, int(part[2]), 0.0
        elif layer := _LAYER.fullmatch(line):
            begun = (int(layer[2]) - 1) / int(layer[3])
            self._within = (_PASSES.index(layer[1]) + begun) / len(_PASSES)

    def end(self) -> None:
        """Leave the line, if there is one."""
        if self._shown:
            print(file=sys.stderr)


def _glm_4_voice(
    args: argparse.Namespace, sizes: DecoderSizes | None, said: Callable[[str], None]
) -> Bundle:
    from model_export.families.glm_4_voice.export import Wishes, export
    from model_export.families.glm_4_voice.files import open_published
    from model_export.families.glm_4_voice.licence import NOTICE

    print(NOTICE, file=sys.stderr)
    wishes = Wishes(args.precision, args.head, args.smooth, bars(args.gate), args.release)
    published = open_published(args.tokenizer, args.lm, args.decoder, sizes)
    if not published.licences:
        print(NO_LICENCE, file=sys.stderr)
    return export(published, read_speech(args.speech), wishes, args.out, said)


def _linnet_mini(args: argparse.Namespace, _: object, said: Callable[[str], None]) -> Bundle:
    from model_export.families.linnet_mini.export import Checkpoints, Speech, export

    if args.precision == "int4":
        raise ExportError("linnet-mini: is too small for int4; choose fp16 or int8")
    return export(
        Checkpoints.kept(args.weights, args.vocabulary), Speech(read_speech(args.speech)), args.out,
        precision=args.precision, version=args.release, smooth=args.smooth, bars=bars(args.gate),
        said=said,
    )  # fmt: skip


_Export = Callable[
    [argparse.Namespace, "DecoderSizes | None", Callable[[str], None]],
    Bundle,
]
_FAMILIES: Mapping[str, _Export] = {
    "glm-4-voice": _glm_4_voice,
    "linnet-mini": _linnet_mini,
}


def read_speech(folder: Path) -> list[np.ndarray]:
    """Recordings (WAV, FLAC) of a folder at 16 kHz, the first channel, at most 30 s of each.

    Raises:
        ExportError: there are none, or one cannot be read, is empty or not finite.
    """
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".wav", ".flac"))
    if not files:
        raise ExportError(f"{folder}: holds no recordings to calibrate on")
    return [_recording(path) for path in files[:MAX_CLIPS]]


def _recording(path: Path) -> np.ndarray:
    try:
        with soundfile.SoundFile(path) as sound:
            rate = sound.samplerate
            pcm = sound.read(MAX_SECONDS * rate, dtype="float32", always_2d=True)[:, 0]
    except (OSError, soundfile.SoundFileError) as error:
        raise ExportError(f"{path}: is no recording that can be read") from error
    if not np.isfinite(pcm).all():
        raise ExportError(f"{path}: has samples that are not finite; record it again")
    resampled: np.ndarray = soxr.resample(pcm, rate, RATE).astype(np.float32)
    if not resampled.size:
        raise ExportError(f"{path}: holds no samples; take it away or record it again")
    return resampled


def bars(gates: list[str] | None) -> dict[str, float]:
    """``["lm=0.7"]`` → ``{"lm": 0.7}``.

    Raises:
        ExportError: not ``part=number``.
    """
    found = {}
    for text in gates or ():
        part, _, number = text.partition("=")
        try:
            found[part] = float(number)
        except ValueError as error:
            raise ExportError(f"--gate {text}: is not like lm=0.8") from error
    return found
