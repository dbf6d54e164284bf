"""``linnet fleet refresh``: new life for what expires soon; for a timer, thrice a day."""

from __future__ import annotations

import argparse

from services.exit_codes import ExitCode
from services.fleet.common import add_repository, publisher_of, say

HELP = "sign snapshot and timestamp again, and roll-outs that expire soon; run it by a timer"
EXAMPLE = "linnet fleet refresh --repository fleet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--renew",
        action="append",
        default=[],
        metavar="ROLE",
        help="also stage root, targets or a class with a new expiry, for people to sign",
    )
    add_repository(parser)


def run(args: argparse.Namespace) -> int:
    with publisher_of(args) as publisher:
        outcome = publisher.refresh(args.renew)
        say(args, publisher, outcome, expires=publisher.expiries())
    # A timer whose key is missing must be noticed before devices notice.
    return ExitCode.OK if outcome.published else ExitCode.UPDATE
