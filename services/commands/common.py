"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path


class UsageError(ValueError):
    """Arguments that do not fit together; the message says what is missing."""


def add_config(parser: argparse.ArgumentParser) -> None:
    """``--config FILE``; ``args.config`` goes to ``Settings.load``."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings file (default: $LINNET_CONFIG, then /etc/linnet/linnet.toml, then defaults)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """``--json``: one object on standard output, everything else on standard error."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_family(parser: argparse.ArgumentParser) -> None:
    """``--family``: which speech model answers; None means as the settings say."""
    parser.add_argument(
        "--family",
        choices=("linnet_mini", "glm_4_voice", "cascade"),
        help="speech model (default: the settings')",
    )


def positive(text: str) -> int:
    """An argparse type: a whole number from 1."""
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value
