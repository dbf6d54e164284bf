"""``linnet ota run``: the updater."""

from __future__ import annotations

import argparse

from services.commands.common import add_config

HELP = "fetch, try and install releases until stopped: the daemon of linnet-ota.service"
EXAMPLE = "linnet ota run --config /etc/linnet/linnet.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    from services.ota_agent.daemon import main
    from services.settings import Settings

    return main(Settings.load(args.config))
