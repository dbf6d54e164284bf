"""``linnet fleet init``: a new repository, for one person or for a team with thresholds."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from services.commands.common import UsageError, positive
from services.fleet.common import add_repository, passphrase, say

if TYPE_CHECKING:
    from ota.repository.publisher import Publisher
    from ota.repository.setup import Founders, Signers

HELP = "found a repository; without any key it makes one of each, for one person"
EXAMPLE = "linnet fleet init --repository fleet --class pc-x86-64"

_ROLES = {
    "root": "signs who signs what; most of them by default: 3 of 5",
    "targets": "signs which classes there are and who releases for them; most: 2 of 3",
    "release": "signs the releases of each --class; all by default: 2 of 2",
    "online": "signs snapshot and timestamp each day, by itself",
    "rollout": "signs roll-outs (default: the online key)",
}
_ADVICE = (
    "move {keys}/root.pem and targets.pem, each with a copy of its .pub, to a stick in a drawer; "
    "they are needed for new keys and classes only (--key STICK/root.pub)"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    for role, meaning in _ROLES.items():
        parser.add_argument(
            f"--{role}",
            action="append",
            type=Path,
            default=[],
            metavar="PUB",
            help=f"public key that {meaning}",
        )
        parser.add_argument(f"--{role}-threshold", type=positive, metavar="N")
    parser.add_argument(
        "--class",
        dest="classes",
        action="append",
        default=[],
        metavar="CLASS",
        help="device class, as orin-nano-jp6; may be repeated, and added to later",
    )
    add_repository(parser)


def run(args: argparse.Namespace) -> int:
    from ota.layout import METADATA
    from ota.repository.keys import read_key
    from ota.repository.publisher import Publisher
    from ota.repository.setup import check_new, found
    from ota.trust.clock import utc_now

    keys = [read_key(path) for path in args.key]
    publisher = Publisher(args.repository, now=utc_now(), keys=keys, passphrase=passphrase)
    publisher.shelf.make()
    with publisher.working():
        check_new(publisher, args.classes)  # before keys are made
        outcome = found(publisher, _founders(args, publisher))
    facts = {"root": str(publisher.shelf.public / METADATA / "1.root.json")}
    if not args.root:
        facts["advice"] = _ADVICE.format(keys=publisher.shelf.keys)
    return say(args, publisher, outcome, **facts)


def _founders(args: argparse.Namespace, publisher: Publisher) -> Founders:
    from ota.repository.keys import read_key
    from ota.repository.setup import Founders, Signers, small_keys

    given = [role for role in _ROLES if getattr(args, role)]
    if not given:
        signers = small_keys(publisher)
    else:
        for role in ("root", "targets", "online"):
            if role not in given:
                raise UsageError(f"linnet fleet init needs --{role}, too; or no key at all")
        signers = {
            role: Signers(
                tuple(read_key(path) for path in getattr(args, role)), _threshold(args, role)
            )
            for role in given
        }
    return Founders(
        root=signers["root"],
        targets=signers["targets"],
        online=signers["online"],
        rollout=signers.get("rollout", signers["online"]),
        classes=dict.fromkeys(args.classes, _release(args, signers)),
    )


def _release(args: argparse.Namespace, signers: dict[str, Signers]) -> Signers:
    if "release" not in signers and args.classes:
        raise UsageError("linnet fleet init needs --release for its --class")
    return signers.get("release", signers["targets"])


def _threshold(args: argparse.Namespace, role: str) -> int | None:
    found: int | None = getattr(args, f"{role}_threshold")
    return found
