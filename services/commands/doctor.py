"""``linnet doctor``: is everything in place?"""

from __future__ import annotations

import argparse

from services.commands.common import add_config, add_json

HELP = "check this machine, the broker and the model, and say what to do about each fault"
EXAMPLE = "linnet doctor"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    from services import doctor

    return doctor.main(args)
