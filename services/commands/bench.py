"""``linnet bench``: how fast it answers."""

from __future__ import annotations

import argparse
from pathlib import Path

from services.commands.common import UsageError, add_config, add_family, add_json, positive

HELP = "measure time to the first audible sample, real-time factor and memory at real pace"
EXAMPLE = "linnet bench --limit 10 --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=positive, metavar="N", help="only N turns, or typed lines")
    parser.add_argument(
        "--typed", action="store_true", help="time typed lines in a large home; needs no model"
    )
    parser.add_argument(
        "--glm-streaming",
        action="store_true",
        help="time a bundle of GLM-4-Voice against the naive way to stream it; needs --bundle",
    )
    parser.add_argument(
        "--devices", type=positive, metavar="N", help="with --typed: its size (default: 1000)"
    )
    parser.add_argument(
        "--one-core", action="store_true", help="let everything share one processor core"
    )
    parser.add_argument(
        "--bundle", type=Path, metavar="DIR", help="model bundle (default: the settings')"
    )
    add_family(parser)
    add_json(parser)
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    if args.devices and not args.typed:
        raise UsageError("--devices goes with --typed")
    if args.glm_streaming and args.bundle is None:
        raise UsageError("--glm-streaming goes with --bundle DIR, a bundle of GLM-4-Voice")
    from services import benchmark

    return benchmark.main(args)
