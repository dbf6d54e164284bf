"""``linnet talk``: a conversation in the terminal."""

from __future__ import annotations

import argparse
from pathlib import Path

from services.commands.common import add_config, add_family

HELP = "talk to the home from this terminal, by typing or by microphone"
EXAMPLE = "linnet talk --simulated"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--simulated", action="store_true", help="talk to a simulated home, not to the broker's"
    )
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--text", action="store_true", help="type (this is the default)")
    way.add_argument("--microphone", action="store_true", help="speak, wake word first")
    parser.add_argument(
        "--speak",
        nargs="?",
        const=True,
        type=Path,
        metavar="DIR",
        help="also say the replies to what is typed: aloud, or as WAV files in DIR",
    )
    add_family(parser)
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    from services import talk

    return talk.main(args)
