"""``linnet fleet revoke``: a key that was lost, stolen or has served its time."""

from __future__ import annotations

import argparse
from pathlib import Path

from services.commands.common import UsageError
from services.fleet.common import add_repository, publisher_of, say

HELP = "take a key's power away, and give it to another one"
EXAMPLE = "linnet fleet revoke bob --replace carol.pub"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the key, by its name in keys/")
    parser.add_argument(
        "--replace", type=Path, metavar="PUB", help="public key that signs in its place"
    )
    add_repository(parser)


def run(args: argparse.Namespace) -> int:
    from ota.repository.keys import known_keys, read_key
    from ota.repository.rotation import revoke

    replacement = read_key(args.replace) if args.replace else None
    if args.replace:
        args.key.append(args.replace)
    with publisher_of(args) as publisher:
        keyids = [k.keyid for k in known_keys(publisher.shelf.keys) if k.name == args.name]
        if not keyids:
            raise UsageError(f"{publisher.shelf.keys}: no key {args.name!r}")
        return say(args, publisher, revoke(publisher, keyids[0], replacement))
