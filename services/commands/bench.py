"""``linnet bench``: how fast it answers."""

from __future__ import annotations

import argparse

from services.commands.common import add_family, add_json, positive

HELP = "measure time to the first audible sample, real-time factor and memory at real pace"
EXAMPLE = "linnet bench --limit 10 --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=positive, metavar="N", help="only N turns")
    add_family(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from services import benchmark

    return benchmark.main(args)
