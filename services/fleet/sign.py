"""``linnet fleet sign``: one more signature under what is staged."""

from __future__ import annotations

import argparse

from services.fleet.common import add_repository, publisher_of, say

HELP = "sign what is staged; it is published once enough people have"
EXAMPLE = "linnet fleet sign --key alice.pub"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_repository(parser)


def run(args: argparse.Namespace) -> int:
    with publisher_of(args) as publisher:
        return say(args, publisher, publisher.sign())
