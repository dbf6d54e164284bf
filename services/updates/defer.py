"""``linnet ota defer``: not now."""

from __future__ import annotations

import argparse

from services.updates.asking import add_options, asked

HELP = "install nothing for a while, as does a file /run/linnet-ota/hold; a week in all at most"
EXAMPLE = 'linnet ota defer 7200 --why "guests"'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("seconds", type=float, metavar="SECONDS")
    parser.add_argument("--why", default="", metavar="TEXT", help="is shown by `linnet ota status`")
    add_options(parser)


def run(args: argparse.Namespace) -> int:
    return asked(args, {"do": "defer", "seconds": args.seconds, "why": args.why})
