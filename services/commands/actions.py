"""Commands that are tables of actions, each action a module of its own.

An action module has the shape of a command module: ``HELP``, ``EXAMPLE``, ``add_arguments`` and
``run``, and imports its engine room inside ``run``.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping


def add_actions(parser: argparse.ArgumentParser, table: Mapping[str, str]) -> None:
    """One sub-parser for each action of ``table``, which names their modules."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, where in table.items():
        module = importlib.import_module(where)
        sub = actions.add_parser(
            name,
            help=module.HELP,
            description=module.HELP[0].upper() + module.HELP[1:] + ".",
            epilog=f"example:\n  {module.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(sub)
        sub.set_defaults(run_action=module.run)


def run_action(args: argparse.Namespace) -> int:
    """Run the action that was chosen; returns an ``ExitCode``."""
    return int(args.run_action(args))
