"""``linnet fleet key``: a signing key, made here or described from elsewhere."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from services.commands.common import UsageError, add_json
from services.exit_codes import ExitCode

HELP = "make a signing key, or describe one that lives in a token, a cloud or a vault"
EXAMPLE = "linnet fleet key alice --directory ~/keys --encrypted"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="what people call it")
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path("keys"),
        metavar="DIR",
        help="where NAME.pem and NAME.pub go (default: keys, where a repository signs by itself)",
    )
    parser.add_argument(
        "--encrypted",
        action="store_true",
        help="protect it by a passphrase: $LINNET_KEY_PASSPHRASE, or asked for",
    )
    parser.add_argument(
        "--uri",
        metavar="URI",
        help="where the private half is, as hsm:, awskms:, gcpkms:, azurekms:, hv: or file2:",
    )
    parser.add_argument(
        "--public", type=Path, metavar="FILE", help="with --uri: its public half, in PEM"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from ota.repository.keys import adopt_key, make_key
    from services.fleet.common import passphrase

    if (args.uri is None) != (args.public is None):
        raise UsageError("linnet fleet key needs --uri and --public together")
    if args.uri is not None:
        key = adopt_key(args.directory, args.name, args.uri, args.public.read_bytes())
    else:
        secret = passphrase(args.name) if args.encrypted else None
        key = make_key(args.directory, args.name, secret)
    facts = {"name": key.name, "keyid": key.keyid, "public": str(key.path)}
    print(json.dumps(facts) if args.json else "  ".join(f"{k}: {v}" for k, v in facts.items()))
    return ExitCode.OK
