"""``linnet devices``: what the home has."""

from __future__ import annotations

import argparse

from services.commands.common import add_config, add_json

HELP = "list the devices that announce themselves at the broker, with room, state and abilities"
EXAMPLE = "linnet devices --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait", type=float, default=2.0, metavar="S", help="seconds to collect (default: 2)"
    )
    add_json(parser)
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    from services import devices

    return devices.main(args)
