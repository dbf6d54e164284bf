"""``linnet fleet rollout``: let a class install a published release, wave by wave."""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from services.commands.common import UsageError
from services.fleet.common import add_class, add_repository, publisher_of, say

if TYPE_CHECKING:
    from ota.rollout.rollout import Wave

HELP = "let a device class install a published release, in waves"
EXAMPLE = "linnet fleet rollout --class pc-x86-64 --release 2026.3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_class(parser)
    parser.add_argument("--release", required=True, metavar="R", help="its name, as 2026.3")
    waves = parser.add_mutually_exclusive_group()
    waves.add_argument(
        "--wave",
        action="append",
        default=[],
        metavar="PERCENT:HOURS",
        help="so much of the fleet so long after the start (default: 0.05:0 1:1 5:4 15:24 40:48 "
        "60:96 90:120 100:144)",
    )
    waves.add_argument(
        "--gated", action="store_true", help="the first wave; linnet fleet guard opens the others"
    )
    waves.add_argument("--everyone", action="store_true", help="all devices at once")
    waves.add_argument("--nobody", action="store_true", help="only those that hawkBit names")
    parser.add_argument("--start", metavar="TIME", help="as 2026-03-01T08:00Z (default: now)")
    parser.add_argument(
        "--downgrade", action="store_true", help="devices may go back to it from a newer release"
    )
    parser.add_argument("--minimum-app", default="0.0", metavar="V", help="oldest Linnet")
    add_repository(parser)


def run(args: argparse.Namespace) -> int:
    from ota.repository.rollouts import roll_out

    with publisher_of(args) as publisher:
        outcome = roll_out(
            publisher,
            args.device_class,
            args.release,
            _waves(args, _start(args, publisher.now)),
            gated=args.gated,
            downgrade=args.downgrade,
            minimum_app=args.minimum_app,
        )
        return say(args, publisher, outcome)


def _waves(args: argparse.Namespace, begin: datetime) -> tuple[Wave, ...]:
    from ota.repository.rollouts import waves_of
    from ota.rollout.guard import first_wave
    from ota.rollout.rollout import default_waves

    if args.gated:
        return first_wave(begin)
    if args.nobody:
        return ()
    if args.everyone:
        return waves_of([(1, 0)], begin)
    return waves_of(map(_share, args.wave), begin) if args.wave else default_waves(begin)


def _share(text: str) -> tuple[float, float]:
    try:
        percent, hours = text.split(":")
        return float(percent) / 100, float(hours)
    except ValueError as error:
        raise UsageError(f"--wave {text}: should be PERCENT:HOURS, as 5:24") from error


def _start(args: argparse.Namespace, now: datetime) -> datetime:
    if args.start is None:
        return now.replace(microsecond=0)
    try:
        found = datetime.fromisoformat(args.start.replace("Z", "+00:00"))
    except ValueError as error:
        raise UsageError(f"--start {args.start}: should be as 2026-03-01T08:00Z") from error
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)
