"""``linnet ota install``: the owner wants a release now."""

from __future__ import annotations

import argparse

from services.updates.asking import add_options, asked

HELP = "take a release up now: no waves, no quiet hours; signed and proved it must be all the same"
EXAMPLE = "linnet ota install 2026.3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "release", nargs="?", default="", metavar="RELEASE", help="default: what is rolled out"
    )
    add_options(parser)


def run(args: argparse.Namespace) -> int:
    return asked(args, {"do": "install", "release": args.release})
