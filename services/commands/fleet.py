"""``linnet fleet``: the publisher's side of updates over the air."""

from __future__ import annotations

import argparse

from services.commands.actions import add_actions, run_action

HELP = "publish signed releases to a fleet of devices, and steer how they reach it"
EXAMPLE = "linnet fleet init --repository fleet --class pc-x86-64"

ACTIONS = {
    "init": "services.fleet.init",
    "key": "services.fleet.key",
    "class": "services.fleet.device_class",
    "publish": "services.fleet.publish",
    "sign": "services.fleet.sign",
    "discard": "services.fleet.discard",
    "rollout": "services.fleet.rollout",
    "pause": "services.fleet.pause",
    "resume": "services.fleet.resume",
    "revoke": "services.fleet.revoke",
    "refresh": "services.fleet.refresh",
    "export": "services.fleet.export",
    "delta": "services.fleet.delta",
    "status": "services.fleet.status",
    "guard": "services.fleet.guard",
    "simulate": "services.fleet.simulate",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_actions(parser, ACTIONS)


run = run_action
