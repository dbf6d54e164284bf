"""``linnet ota preflight``: counts a start of the voice daemon, before it loads anything.

A release on trial that has used up its tries is taken back here, by whoever starts the daemon, so
that the way back needs neither the updater nor the network. A normal start changes nothing.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from services.commands.common import add_config
from services.exit_codes import ExitCode

if TYPE_CHECKING:
    from ota.generations import Generations
    from ota.journal import Journal
    from ota.machine import Ledger, Update

HELP = "count a start of the voice daemon; back to the release before after the last try"
EXAMPLE = "linnet ota preflight --config /etc/linnet/linnet.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--give-up",
        action="store_true",
        help="take a release on trial back at once: the daemon cannot be started with it; "
        "fails where none is on trial",
    )
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    from ota.generations import Generations
    from ota.journal import Journal
    from services.settings import Settings

    settings = Settings.load(args.config)
    journal = Journal(settings.ota.directory)
    told = preflight(journal, Generations(settings.model.generations), give_up=args.give_up)
    if told:
        print(told, file=sys.stderr)
    return ExitCode.OK if told or not args.give_up else ExitCode.CHECK_FAILED


def preflight(journal: Journal, generations: Generations, *, give_up: bool = False) -> str | None:
    """Count, and go back where nothing is left; what was done, None for nothing.

    Raises:
        StoreError, GenerationError: the disk refuses, or there is nothing whole to go back to.
    """
    from ota import machine
    from ota.machine import Outcome, Result, Stage

    current = generations.current()
    name = current.name if current else ""
    if journal.read().active is None:
        return None
    ledger = journal.change(lambda now: machine.about_to_load(now, name))
    if give_up:
        ledger = journal.change(lambda now: _given_up(now, name))
    update, decided = _on_trial(ledger, name), machine.key(ledger)
    if update is None:
        return None
    if update.stage is not Stage.GOING_BACK:
        return f"{update.release} is on trial; {update.tries_left} more tries"
    if update.previous:
        generations.switch(update.previous)
    else:
        generations.rollback()
    done = Result(Outcome.DONE)
    # Whatever has begun meanwhile has to go its own way.
    journal.change(lambda now: machine.step(now, done) if machine.key(now) == decided else now)
    return f"{update.release} did not start; went back to the release before"


def _on_trial(ledger: Ledger, name: str) -> Update | None:
    """The update that has brought the generation of this name, while that is not committed."""
    from ota.machine import MAY_SERVE

    update = ledger.active
    if update is None or update.generation != name or update.stage not in MAY_SERVE:
        return None
    return update


def _given_up(ledger: Ledger, name: str) -> Ledger:
    """The ledger with the trial taken back, if it is on trial by now."""
    from ota.errors import Reason
    from ota.machine import Stage, give_up

    update = _on_trial(ledger, name)
    if update is None or update.stage is Stage.GOING_BACK:
        return ledger
    return give_up(ledger, Reason.CRASH, "the voice daemon could not be started")
