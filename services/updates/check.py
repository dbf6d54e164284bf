"""``linnet ota check``: ask for something new now."""

from __future__ import annotations

import argparse

from services.updates.asking import add_options, asked

HELP = "let the updater ask for something new now, not only when it is time"
EXAMPLE = "linnet ota check"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser)


def run(args: argparse.Namespace) -> int:
    return asked(args, {"do": "check"})
