"""Options and answers that the publisher's actions share."""

from __future__ import annotations

import argparse
import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from services.commands.common import UsageError, add_json
from services.exit_codes import ExitCode

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ota.repository.publisher import Outcome, Publisher
    from ota.repository.quorum import Need

M = TypeVar("M", bound="BaseModel")

PASSPHRASE = "LINNET_KEY_PASSPHRASE"  # noqa: S105  the variable's name


def add_repository(parser: argparse.ArgumentParser) -> None:
    """``--repository``, ``--key`` and ``--json``."""
    parser.add_argument(
        "--repository",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="directory of the repository (default: this one)",
    )
    parser.add_argument(
        "--key",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="also sign with the key that this .pub file describes; may be repeated",
    )
    add_json(parser)


def add_class(parser: argparse.ArgumentParser) -> None:
    """``--class``, required, as ``args.device_class``."""
    parser.add_argument(
        "--class", dest="device_class", required=True, metavar="CLASS", help="as orin-nano-jp6"
    )


@contextmanager
def publisher_of(args: argparse.Namespace) -> Iterator[Publisher]:
    """The repository that the options name, locked."""
    from ota.repository.keys import read_key
    from ota.repository.publisher import Publisher
    from ota.trust.clock import utc_now

    keys = [read_key(path) for path in args.key]
    publisher = Publisher(args.repository, now=utc_now(), keys=keys, passphrase=passphrase)
    with publisher.working():
        yield publisher


def passphrase(name: str) -> bytes:
    """Of an encrypted key, or a token's PIN: from the environment, or asked for."""
    told = os.environ.get(PASSPHRASE)
    return (
        told if told is not None else getpass.getpass(f"passphrase or PIN of {name}: ")
    ).encode()


def checked(model: type[M], **fields: object) -> M:
    """A model of what the options say. Raises UsageError, naming the field."""
    from pydantic import ValidationError

    try:
        return model.model_validate(fields)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise UsageError(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}") from error


def say(args: argparse.Namespace, publisher: Publisher, outcome: Outcome, **more: object) -> int:
    """Print what came of it: what is published now, and who has to sign the rest."""
    names = publisher.names()
    if args.json:
        waiting = [_row(need, names) for need in outcome.waiting]
        print(json.dumps({"published": list(outcome.published), "waiting": waiting, **more}))
        return ExitCode.OK
    for key, value in more.items():
        print(f"{key}: {value}")
    print("published: " + (", ".join(outcome.published) or "nothing yet"))
    for need in outcome.waiting:
        row = _row(need, names)
        print(
            f"waiting: {need.version}.{need.role} has {need.signed} of {need.threshold} "
            f"signatures; could sign: {', '.join(row['keys']) or 'nobody'}"
        )
    return ExitCode.OK


def _row(need: Need, names: dict[str, str]) -> dict[str, Any]:
    return {
        "role": need.role,
        "version": need.version,
        "signed": need.signed,
        "threshold": need.threshold,
        "keys": [names.get(keyid, keyid[:8]) for keyid in need.missing],
    }
