"""``linnet ota``: this device's side of updates over the air."""

from __future__ import annotations

import argparse

from services.commands.actions import add_actions, run_action

HELP = "look after this device's updates, and prove that its update client keeps to TUF"
EXAMPLE = "linnet ota status --json"

ACTIONS = {
    "status": "services.updates.status",
    "check": "services.updates.check",
    "install": "services.updates.install",
    "defer": "services.updates.defer",
    "rollback": "services.updates.rollback",
    "run": "services.updates.run",
    "preflight": "services.updates.preflight",
    "conformance": "services.updates.conformance",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_actions(parser, ACTIONS)


run = run_action
