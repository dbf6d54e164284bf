"""``linnet fleet export``: a release on a stick, for devices without a network."""

from __future__ import annotations

import argparse
import json
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

from services.commands.common import positive
from services.exit_codes import ExitCode
from services.fleet.common import add_class, add_repository, publisher_of

HELP = "write a published release for a USB stick, as a directory or as one .tar"
EXAMPLE = "linnet fleet export /media/usb/linnet --class pc-x86-64 --release 2026.3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path, metavar="OUT", help="directory or .tar to make")
    add_class(parser)
    parser.add_argument("--release", required=True, metavar="R", help="its name, as 2026.3")
    parser.add_argument(
        "--days",
        type=positive,
        metavar="N",
        help="how long it should be good at least (default: as long as what is published); "
        "needs the online keys",
    )
    add_repository(parser)


def run(args: argparse.Namespace) -> int:
    from ota.release import release_target
    from ota.repository.export import export_release

    target = release_target(args.device_class, args.release)
    with publisher_of(args) as publisher:
        lasting = publisher.lasting(timedelta(days=args.days)) if args.days else nullcontext()
        with lasting:
            done = export_release(publisher.shelf, target, args.out)
            until = min(publisher.expiries().values())
    if args.json:
        row = {"target": target, "files": done.files, "bytes": done.bytes, "until": until}
        print(json.dumps(row))
    else:
        print(f"{target}: {done.files} files, {done.bytes} bytes, good until {until}")
    return ExitCode.OK
