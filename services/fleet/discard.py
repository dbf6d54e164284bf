"""``linnet fleet discard``: take back what was staged and should not be signed."""

from __future__ import annotations

import argparse

from services.fleet.common import add_repository, publisher_of, say

HELP = "take back a staged change before it has its signatures"
EXAMPLE = "linnet fleet discard pc-x86-64"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", metavar="ROLE", help="root, targets, rollout or a class")
    add_repository(parser)


def run(args: argparse.Namespace) -> int:
    with publisher_of(args) as publisher:
        return say(args, publisher, publisher.discard(args.role))
