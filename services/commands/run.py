"""``linnet run``: the daemon."""

from __future__ import annotations

import argparse
from pathlib import Path

from services.commands.common import add_config

HELP = "listen, move devices and answer until stopped: the daemon of linnet-voice.service"
EXAMPLE = "linnet run --config /etc/linnet/linnet.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input",
        type=Path,
        metavar="WAV",
        help="hear a recording, then silence, instead of the microphone: a trial without sound",
    )
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    from services.voice import daemon

    return daemon.main(args)
