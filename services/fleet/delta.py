"""``linnet fleet delta``: what a device of one bundle has to fetch for another."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from services.commands.common import UsageError, add_json
from services.exit_codes import ExitCode

HELP = "measure what deltas save between two bundles, or two files of one"
EXAMPLE = "linnet fleet delta /media/usb/linnet_mini-en bundles/linnet_mini-en"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old", type=Path, metavar="OLD", help="bundle or file that devices have")
    parser.add_argument("new", type=Path, metavar="NEW", help="bundle or file that they should get")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from ota.measure_delta import report

    try:
        found = report(args.old, args.new)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from error
    if args.json:
        print(json.dumps(asdict(found)))
        return ExitCode.OK
    rows = [(one.file, one.delta_bytes, one.percent) for one in found.files]
    for name, count, percent in [*rows, ("to send", found.to_send, found.percent)]:
        print(f"{name:24} {count:>12,} bytes {percent:>7} %")
    return ExitCode.OK
