"""Where a fleet speaks: the options that say so."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from services.commands.common import UsageError, add_config

if TYPE_CHECKING:
    from services.fleet.watch import Watch


def add_fleet(parser: argparse.ArgumentParser) -> None:
    """``--broker``, ``--tenant`` and ``--config``."""
    parser.add_argument(
        "--broker", metavar="HOST[:PORT]", help="(default, and how to log in: as in the settings)"
    )
    parser.add_argument(
        "--tenant",
        metavar="NAME",
        help="owner of the fleet, in its topics (default: as in the settings)",
    )
    add_config(parser)


def watch_of(args: argparse.Namespace) -> Watch:
    """The fleet that the options name, not connected yet. Raises UsageError or SettingsError."""
    import dataclasses

    from services.fleet.watch import Watch
    from services.settings import Settings
    from services.wiring import broker_address

    settings = Settings.load(args.config)
    address = broker_address(settings.mqtt)
    if args.broker is not None:
        host, port = _place(args.broker, address.port)
        address = dataclasses.replace(address, host=host, port=port)
    tenant = settings.ota.tenant if args.tenant is None else args.tenant
    try:
        return Watch(address, tenant)
    except ValueError as error:
        raise UsageError(f"--tenant {tenant}: letters, digits, '.', '_' and '-'") from error


def _place(text: str, usual: int) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon:
        return text, usual
    if not (host and port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise UsageError(f"--broker {text}: should be HOST or HOST:PORT")
    return host, int(port)
