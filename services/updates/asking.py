"""Asking the updater that runs, and showing what it says."""

from __future__ import annotations

import argparse
import json
from typing import Any

from services.commands.common import add_config, add_json
from services.exit_codes import ExitCode


def add_options(parser: argparse.ArgumentParser) -> None:
    """``--config`` and ``--json``."""
    add_json(parser)
    add_config(parser)


def asked(args: argparse.Namespace, question: dict[str, Any]) -> int:
    """Ask, show the answer.

    Raises:
        SettingsError: as ``Settings.load``.
        SocketError: the updater does not run, or refuses.
    """
    from services.local_socket import ask
    from services.settings import Settings

    settings = Settings.load(args.config)
    return show(args, ask(settings.ota.socket, question))


def show(args: argparse.Namespace, facts: dict[str, Any]) -> int:
    """One JSON object, or a line for each fact that is known."""
    if args.json:
        print(json.dumps(facts))
        return ExitCode.OK
    for key, value in facts.items():
        if value is not None and value is not False and value != []:  # 0 is a fact
            print(f"{key.replace('_', ' ')}: {_plain(value)}")
    return ExitCode.OK


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(one)}" for key, one in value.items())
    if isinstance(value, list):
        return "; ".join(map(_plain, value))
    return str(value)
