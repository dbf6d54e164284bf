"""``linnet demo``: the whole appliance on any machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from services.commands.common import add_family, add_json

HELP = "play recorded commands to a simulated home and show every step with its time"
EXAMPLE = "linnet demo my.wav"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recordings",
        nargs="*",
        type=Path,
        metavar="WAV",
        help="your own recordings: wake word, then a command (default: those that came along)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo-replies"),
        metavar="DIR",
        help="where the spoken replies are written (default: demo-replies/)",
    )
    add_family(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from services import demo

    return demo.main(args)
