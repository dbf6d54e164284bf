"""``linnet ota rollback``: back to the release before."""

from __future__ import annotations

import argparse

from services.updates.asking import add_options, asked

HELP = "give up the update under way, else go back to the release before and stay there"
EXAMPLE = "linnet ota rollback"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser)


def run(args: argparse.Namespace) -> int:
    return asked(args, {"do": "rollback"})
