"""``linnet talk``: a conversation in the terminal."""

from __future__ import annotations

import argparse

from services.commands.common import add_config, add_family

HELP = "talk to the home from this terminal, by microphone or by typing"
EXAMPLE = "linnet talk --text --simulated"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--text", action="store_true", help="type instead of using a microphone")
    parser.add_argument(
        "--simulated", action="store_true", help="talk to a simulated home, not to the broker's"
    )
    add_family(parser)
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    from services import talk

    return talk.main(args)
