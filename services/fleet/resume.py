"""``linnet fleet resume``: a paused roll-out goes on."""

from __future__ import annotations

import argparse

from services.fleet.pause import add_arguments, set_paused

__all__ = ["EXAMPLE", "HELP", "add_arguments", "run"]

HELP = "let a class's paused roll-out go on, with the waves it had"
EXAMPLE = "linnet fleet resume --class pc-x86-64"


def run(args: argparse.Namespace) -> int:
    return set_paused(args, False)
