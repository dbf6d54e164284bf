"""``linnet eval``: how often a command is understood."""

from __future__ import annotations

import argparse
from pathlib import Path

from services.commands.common import add_config, add_family, add_json, positive

HELP = "measure how often spoken commands become the right call, clean and in noise"
EXAMPLE = "linnet eval --set held-out --limit 50 --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        default="held-out",
        metavar="NAME|DIRECTORY",
        help="held-out, held-out-wide (synthesised once, then cached), intents-en, intents-zh "
        "(typed sentences), typed-misses (typed lines that no template fits) or a directory with "
        "manifest.jsonl",
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N utterances")
    parser.add_argument(
        "--alone", action="store_true", help="also measure each of the two recognisers alone"
    )
    parser.add_argument(
        "--home", type=Path, metavar="FILE", help="judge in this home: JSON list of entities"
    )
    parser.add_argument(
        "--jobs", type=positive, default=1, metavar="N", help="processes (default: 1)"
    )
    parser.add_argument(
        "--bundle", type=Path, metavar="DIR", help="model bundle (default: the settings')"
    )
    parser.add_argument(
        "--shared",
        type=Path,
        default=_shared(),
        metavar="DIR",
        help="public text and recordings, used where present (default: ../shared)",
    )
    parser.add_argument(
        "--details", type=Path, metavar="FILE", help="write one JSON line an utterance"
    )
    add_family(parser)
    add_json(parser)
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    from services import evaluation

    return evaluation.main(args)


def _shared() -> Path:
    return Path(__file__).resolve().parents[3] / "shared"
