"""``linnet export``: checkpoints to a bundle, on a workstation."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from services.commands.common import UsageError
from services.commands.workshop import workshop
from services.exit_codes import ExitCode

HELP = "make a bundle of a speech model's checkpoints"
EXAMPLE = (
    "linnet export glm-4-voice --tokenizer DIR --lm DIR --decoder DIR --precision int4 --out BUNDLE"
)
_ROOT = Path(__file__).parents[2]
GATED = {
    "glm-4-voice": ("tokenizer", "lm", "flow_encoder", "flow_estimator", "hift_decode"),
    "linnet-mini": ("tokenizer", "lm", "speech_decoder", "vocoder"),
}
"""Parts that rounding may spoil, by family: those that have a quality bar."""
UNROUNDED = {("linnet-mini", "int8"): ("vocoder",)}
"""Of these, parts that a family stores in float: nothing is judged."""
_NEEDED = {"glm-4-voice": ("tokenizer", "lm", "decoder"), "linnet-mini": ("weights",)}


MEMORY = """\
GLM-4-Voice takes memory of at most 2.5 times the largest shard of its language model (12.5 GB for
shards of 5 GB, nominal), and disk for the checkpoints (21 GB) and a bundle of 8 to 20 GB. See
docs/export.md."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{parser.description}\n\n{MEMORY}"
    parser.add_argument("family", choices=tuple(_NEEDED))
    parser.add_argument("--out", type=Path, required=True, metavar="BUNDLE", help="where it goes")
    parser.add_argument("--precision", choices=("fp16", "int8", "int4"), default="int8")
    parser.add_argument("--tokenizer", type=Path, metavar="DIR", help="published tokenizer")
    parser.add_argument("--lm", type=Path, metavar="DIR", help="published language model")
    parser.add_argument("--decoder", type=Path, metavar="DIR", help="published decoder")
    parser.add_argument("--weights", type=Path, metavar="DIR", help="weights of linnet-mini")
    parser.add_argument(
        "--vocabulary", type=Path, metavar="FILE", help="text ranks of linnet-mini",
        default=_ROOT / "bundles/linnet_mini-en/ranks.tiktoken",
    )  # fmt: skip
    parser.add_argument(
        "--speech", type=Path, metavar="DIR", help="recordings to calibrate on",
        default=_ROOT / "services/demo/recordings",
    )  # fmt: skip
    parser.add_argument(
        "--smooth", type=float, metavar="ALPHA", help="SmoothQuant, with int8: 0..1"
    )
    parser.add_argument(
        "--head", choices=("fp16", "int8"), default="fp16", help="output layer, with int4"
    )
    parser.add_argument(
        "--gate", action="append", metavar="PART=BAR", help="another quality bar for a part"
    )
    parser.add_argument("--release", default="1.0.0", metavar="VERSION", help="of the bundle")


def run(args: argparse.Namespace) -> int:
    missing = [f"--{name}" for name in _NEEDED[args.family] if getattr(args, name) is None]
    if missing:
        raise UsageError(f"linnet export {args.family} needs {', '.join(missing)}")
    _check_choices(args)
    workshop("export").run(args)
    return ExitCode.OK


def _check_choices(args: argparse.Namespace) -> None:
    """Refuse what would have no effect, before hours of work are spent on something else."""
    if args.smooth is not None and (args.precision != "int8" or not 0.0 <= args.smooth <= 1.0):
        raise UsageError("--smooth is an alpha of 0..1, for --precision int8 alone")
    if args.head == "int8" and (args.precision == "fp16" or args.family != "glm-4-voice"):
        raise UsageError("--head int8 is for glm-4-voice in int4; in int8 it is so anyway")
    unrounded = UNROUNDED.get((args.family, args.precision), ())
    gated = [part for part in GATED[args.family] if part not in unrounded]
    for text in args.gate or ():
        part, _, number = text.partition("=")
        if part not in gated:
            of = f"{args.family} in {args.precision}"
            raise UsageError(f"--gate {text}: of {of}, {', '.join(gated)} have a bar")
        try:
            finite = math.isfinite(float(number))
        except ValueError:
            finite = False
        if not finite:
            raise UsageError(f"--gate {text}: is not like lm=0.8")
