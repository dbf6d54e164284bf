"""``linnet fleet class``: a device class, and who signs its releases."""

from __future__ import annotations

import argparse
from pathlib import Path

from services.commands.common import positive
from services.fleet.common import add_class, add_repository, publisher_of, say

HELP = "add a device class, or change who signs its releases"
EXAMPLE = "linnet fleet class --class orin-nano-jp6 --release alice.pub --release bob.pub"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_class(parser)
    parser.add_argument(
        "--release",
        action="append",
        type=Path,
        required=True,
        metavar="PUB",
        help="public key that signs its releases; may be repeated",
    )
    parser.add_argument(
        "--release-threshold", type=positive, metavar="N", help="how many (default: all)"
    )
    add_repository(parser)


def run(args: argparse.Namespace) -> int:
    from ota.repository.keys import read_key
    from ota.repository.setup import Signers, set_class

    signers = Signers(tuple(read_key(path) for path in args.release), args.release_threshold)
    with publisher_of(args) as publisher:
        return say(args, publisher, set_class(publisher, args.device_class, signers))
