"""``linnet ota install``: the owner wants a release now."""

from __future__ import annotations

import argparse
from pathlib import Path

from services.updates.asking import add_options, asked

HELP = "take a release up now: no waves, no quiet hours; signed and proved it must be all the same"
EXAMPLE = "linnet ota install 2026.3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "release", nargs="?", default="", metavar="RELEASE", help="default: what is rolled out"
    )
    parser.add_argument(
        "--from",
        dest="stick",
        metavar="PATH",
        type=Path,
        help="take it from a stick: a directory or .tar that linnet fleet export wrote",
    )
    add_options(parser)


def run(args: argparse.Namespace) -> int:
    stick = str(args.stick.resolve()) if args.stick else ""
    return asked(args, {"do": "install", "release": args.release, "stick": stick})
