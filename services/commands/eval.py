"""``linnet eval``: how often a command is understood."""

from __future__ import annotations

import argparse

from services.commands.common import add_family, add_json, positive

HELP = "measure how often spoken commands become the right call, clean and in noise"
EXAMPLE = "linnet eval --set held-out --limit 50 --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        default="held-out",
        metavar="NAME|DIRECTORY",
        help="held-out (synthesised once, then cached), or a directory with manifest.jsonl",
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N utterances")
    add_family(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from services import evaluation

    return evaluation.main(args)
