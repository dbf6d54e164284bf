"""``linnet plan``: which model runs on which Orin."""

from __future__ import annotations

import argparse
from pathlib import Path

from services.commands.common import UsageError, add_json
from services.exit_codes import ExitCode
from services.plan.families import FAMILIES
from services.plan.modules import MODULES

HELP = "say what memory and speed a speech model would have on an Orin, from nominal figures"
EXAMPLE = "linnet plan --module agx-64 --family glm-4-voice"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--module", choices=sorted(MODULES), help="one Orin (default: all)")
    parser.add_argument("--family", choices=sorted(FAMILIES), help="one model (default: all)")
    parser.add_argument(
        "--bundle", type=Path, metavar="DIR", help="what is bundled there, by its manifest alone"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from services.plan.page import page

    if args.bundle and args.family:
        raise UsageError("--bundle names its family itself; leave --family out")
    print(page(args.module, args.family, args.bundle, as_json=args.json))
    return ExitCode.OK
