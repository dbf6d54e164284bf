"""``linnet ota conformance``: this client, spoken to in the protocol of the public TUF suite.

The suite (github.com/theupdateframework/tuf-conformance) starts it once for each step. It is the
device's own ``Trust`` that answers, floor and clock included.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from services.exit_codes import ExitCode

if TYPE_CHECKING:
    from tuf.api.metadata import TargetFile

    from ota.trust.client import Trust

HELP = "speak the protocol of the public TUF conformance suite"
EXAMPLE = "linnet ota conformance --metadata-dir trust init root.json"

MAX_TARGET_BYTES = 2**26
"""The suite's targets are small; a device takes larger files by content hash, not through here."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--metadata-dir", type=Path, required=True, metavar="DIR")
    parser.add_argument("--metadata-url", metavar="URL")
    parser.add_argument("--target-name", action="append", default=[], metavar="PATH")
    parser.add_argument("--target-base-url", default="", metavar="URL")
    parser.add_argument("--target-dir", type=Path, metavar="DIR")
    steps = parser.add_subparsers(dest="step", metavar="STEP", required=True)
    init = steps.add_parser("init", help="take a root as the one that is trusted")
    init.add_argument("trusted_root", type=Path, metavar="TRUSTED_ROOT")
    steps.add_parser("refresh", help="fetch and verify the newest metadata")
    steps.add_parser("download", help="fetch and verify targets")


def run(args: argparse.Namespace) -> int:
    from ota.errors import OtaError

    try:
        _STEPS[args.step](args)
    except OtaError as error:
        print(f"refused: {error} ({error.reason.name})")
        return ExitCode.UNEXPECTED  # the protocol knows 0 and 1
    return ExitCode.OK


def _init(args: argparse.Namespace) -> None:
    from ota.storage import Disk, replace_file

    replace_file(Disk(), args.metadata_dir / "root.json", args.trusted_root.read_bytes())


def _refresh(args: argparse.Namespace) -> None:
    _trust(args).refresh()


def _download(args: argparse.Namespace) -> None:
    from ota.errors import Reason, TrustError

    trust = _trust(args)
    trust.refresh()
    for name in args.target_name:
        info = trust.info(name)
        if info is None:
            raise TrustError(Reason.UNTRUSTED, "no such target")
        _keep(args.target_dir / quote(name, safe=""), trust, info)


def _keep(path: Path, trust: Trust, info: TargetFile) -> None:
    from ota.storage import Disk, replace_file

    if not trust.holds(path, info):
        replace_file(Disk(), path, trust.target_bytes(info, MAX_TARGET_BYTES))


def _trust(args: argparse.Namespace) -> Trust:
    """The device's client; the root that ``init`` put there stands for the factory's."""
    from ota.layout import Addresses
    from ota.trust.client import Trust

    directory = args.metadata_dir
    addresses = Addresses(args.metadata_url, args.target_base_url)
    return Trust(directory, (directory / "root.json").read_bytes(), addresses)


_STEPS = {"init": _init, "refresh": _refresh, "download": _download}
