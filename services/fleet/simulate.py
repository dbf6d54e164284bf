"""``linnet fleet simulate``: what a release would do to a fleet, before any device has it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from services.commands.common import add_json, positive
from services.exit_codes import ExitCode

if TYPE_CHECKING:
    from ota.simulate import Outcome

HELP = "play a roll-out to a whole fleet in seconds: how many devices a bad release reaches"
EXAMPLE = "linnet fleet simulate --devices 1000000 --silent 0.08"
DRAWN = ("gated", "silence", "errors", "open")
POLICIES = (*DRAWN, "no-canaries")
MAX_DEVICES = 20_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--devices", type=_devices, default=1_000_000, metavar="N")
    parser.add_argument(
        "--silent",
        type=_share,
        default=0.0,
        metavar="SHARE",
        help="bricked, so that they say no more",
    )
    parser.add_argument(
        "--failing", type=_share, default=0.0, metavar="SHARE", help="roll back and say so"
    )
    parser.add_argument(
        "--poll", type=_hours, default=1.0, metavar="HOURS", help="how often devices ask"
    )
    parser.add_argument(
        "--policy",
        choices=POLICIES,
        default="gated",
        help="gated: as in production; silence: waves by the clock, stopped by errors and silence; "
        "errors: stopped by reported errors alone; open: stopped by a person after 30 h; "
        "no-canaries: gated, from 1 %% of the fleet on",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--plot", type=Path, metavar="PNG", help="draw all but the last side by side, too"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from ota.simulate import World, simulate

    world = World(
        devices=args.devices,
        silent=args.silent,
        failing=args.failing,
        poll=args.poll,
        seed=abs(args.seed),
    )
    ended = simulate(world, args.policy)
    if args.json:
        facts = dataclasses.asdict(ended)
        del facts["course"]
        print(json.dumps(facts))
    else:
        print(told(ended))
    if args.plot:
        from services.fleet.simulate_plot import draw

        draw(args.plot, world, [simulate(world, name) for name in DRAWN])
        print(f"drawn: {args.plot}", file=sys.stderr)
    return ExitCode.OK


def told(ended: Outcome) -> str:
    """The outcome in a line."""
    how = (
        "completed"
        if ended.completed
        else f"stopped ({ended.stopped})"
        if ended.stopped
        else "unfinished"
    )
    return (
        f"{how} after {ended.hours:g} h: {ended.exposed:,} of {ended.devices:,} exposed, "
        f"{ended.failed:,} rolled back, {ended.bricked:,} bricked"
    )


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 0.9:
        raise ValueError(text)
    return value


def _hours(text: str) -> float:
    value = float(text)
    if not 0.2 <= value <= 24:
        raise ValueError(text)
    return value


def _devices(text: str) -> int:
    value = positive(text)
    if value > MAX_DEVICES:
        raise ValueError(text)
    return value
