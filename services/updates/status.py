"""``linnet ota status``: what runs, and how the update under way stands."""

from __future__ import annotations

import argparse

from services.updates.asking import add_options, show

HELP = "say what runs and how the update under way stands; works without the updater, too"
EXAMPLE = "linnet ota status --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser)


def run(args: argparse.Namespace) -> int:
    from ota.generations import Generations
    from ota.journal import Journal
    from services.local_socket import SocketError, ask
    from services.ota_agent.desk import described
    from services.ota_agent.voice_link import safe_mode
    from services.settings import Settings

    settings = Settings.load(args.config)
    try:
        facts = ask(settings.ota.socket, {"do": "status"})
    except SocketError:
        ledger = Journal(settings.ota.directory).read()
        facts = described(ledger, Generations(settings.model.generations))
    return show(args, facts | {"safe_mode": safe_mode(settings)})
