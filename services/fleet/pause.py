"""``linnet fleet pause``: nobody else begins to install."""

from __future__ import annotations

import argparse

from services.fleet.common import add_class, add_repository, publisher_of, say

HELP = "stop a class's roll-out: no device begins to install"
EXAMPLE = "linnet fleet pause --class pc-x86-64"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_class(parser)
    add_repository(parser)


def run(args: argparse.Namespace) -> int:
    return set_paused(args, True)


def set_paused(args: argparse.Namespace, paused: bool) -> int:
    """Sign the class's roll-out again, paused or not."""
    from ota.repository.rollouts import pause

    with publisher_of(args) as publisher:
        return say(args, publisher, pause(publisher, args.device_class, paused), paused=paused)
