"""``linnet bundle``: the model bundles installed on this machine."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from services.commands.common import UsageError, add_config, add_json
from services.exit_codes import ExitCode

HELP = "verify, install, list or roll back model bundles on this machine"
EXAMPLE = "linnet bundle install /media/usb/linnet_mini-en"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        choices=("list", "verify", "install", "rollback"),
        help="verify: every hash, without installing; rollback: back to the one before",
    )
    parser.add_argument("directory", nargs="?", type=Path, metavar="DIRECTORY")
    add_json(parser)
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    from device.bundle import Bundle
    from ota.generations import Generations
    from services.bundles import chosen_bundle
    from services.settings import Settings

    settings = Settings.load(args.config)
    generations = Generations(settings.model.generations)
    if args.action == "verify":
        bundle = Bundle.open(args.directory or chosen_bundle(settings))
        return _say(args, {"bundle": str(bundle.root), "digest": bundle.digest})
    if args.action == "install":
        if args.directory is None:
            raise UsageError("linnet bundle install needs a DIRECTORY")
        return _say(args, {"installed": generations.install(args.directory).name})
    if args.action == "rollback":
        return _say(args, {"current": generations.rollback().name})
    found = generations.installed()
    rows = [{"name": g.name, "current": g.current, "previous": g.previous} for g in found]
    if args.json:
        print(json.dumps({"generations": rows}))
    elif not rows:
        print(f"none installed; in use: {chosen_bundle(settings)}")
    for row in [] if args.json else rows:
        mark = "current" if row["current"] else "previous" if row["previous"] else ""
        print(f"{row['name']}  {mark}".rstrip())
    return ExitCode.OK


def _say(args: argparse.Namespace, facts: dict[str, str]) -> int:
    print(json.dumps(facts) if args.json else "  ".join(f"{k}: {v}" for k, v in facts.items()))
    return ExitCode.OK
