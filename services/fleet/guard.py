"""``linnet fleet guard``: opens the waves of a roll-out that does well, stops one that does not."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from services.commands.common import UsageError, positive
from services.exit_codes import ExitCode
from services.fleet.at_broker import add_fleet, watch_of
from services.fleet.common import add_class, add_repository, publisher_of

if TYPE_CHECKING:
    from ota.rollout.guard import Limits
    from services.fleet.guarding import ControlPlane, Round

HELP = "watch a class's roll-out: open the next wave when one has settled, pause a bad one"
EXAMPLE = "linnet fleet guard --class pc-x86-64 --broker mqtt.example"

PASSWORD = "LINNET_HAWKBIT_PASSWORD"  # noqa: S105  the variable's name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_class(parser)
    parser.add_argument("--every", type=positive, default=300, metavar="SECONDS")
    parser.add_argument("--once", action="store_true", help="one decision, then end")
    parser.add_argument("--dry-run", action="store_true", help="say it, do not do it")
    parser.add_argument(
        "--errors", type=_share, metavar="SHARE", help="may fail, silent ones among them"
    )
    parser.add_argument(
        "--silent", type=_share, metavar="SHARE", help="may fall silent; they count as errors, too"
    )
    hawkbit = parser.add_argument_group("hawkBit, where the counts come from it")
    hawkbit.add_argument("--hawkbit", metavar="URL", help=f"its password: in ${PASSWORD}")
    hawkbit.add_argument("--hawkbit-rollout", type=positive, metavar="ID")
    hawkbit.add_argument("--hawkbit-user", default="guard", metavar="NAME")
    add_fleet(parser)
    add_repository(parser)


def run(args: argparse.Namespace) -> int:
    """Ends with CHECK_FAILED where ``--once`` finds a roll-out that has to stop."""
    from ota.rollout.guard import Pause

    with _plane(args) as plane:
        if args.once:
            done = _round(args, plane)
            bad = isinstance(done.decision, Pause)
            return ExitCode.CHECK_FAILED if bad else ExitCode.OK
        while True:
            _patient_round(args, plane)
            time.sleep(args.every)


def _round(args: argparse.Namespace, plane: ControlPlane) -> Round:
    from services.fleet.guarding import guard_round

    with publisher_of(args) as publisher:
        done = guard_round(
            publisher, args.device_class, plane, limits_of(args), dry_run=args.dry_run
        )
    print(json.dumps(facts(done)) if args.json else told(done), flush=True)
    return done


def _patient_round(args: argparse.Namespace, plane: ControlPlane) -> None:
    """A server that is away for an hour must not end the guard."""
    from ota.errors import TransferError
    from ota.repository.errors import PublishError
    from services.home.broker import BrokerError

    try:
        _round(args, plane)
    except (TransferError, PublishError, BrokerError) as error:
        print(f"linnet fleet guard: {error}; trying again", file=sys.stderr, flush=True)


def limits_of(args: argparse.Namespace) -> Limits:
    """What the roll-out may cost, where the options say otherwise than usual."""
    from ota.rollout.guard import Limits

    said = {"errors": args.errors, "silent": args.silent}
    return Limits(**{name: share for name, share in said.items() if share is not None})


def facts(done: Round) -> dict[str, object]:
    """A round as one JSON object: ``decision`` is wait, open or pause."""
    name = type(done.decision).__name__.lower()
    return {
        "release": done.release,
        "decision": name,
        **vars(done.decision),
        **dataclasses.asdict(done.tally),
        "uncounted": done.uncounted,
    }


def told(done: Round) -> str:
    """A round in a line."""
    tally = done.tally
    said = ", ".join(f"{value}" for value in vars(done.decision).values())
    more = f"; {done.uncounted} messages of more devices than are kept" if done.uncounted else ""
    return (
        f"{done.release}: {type(done.decision).__name__.lower()} ({said}); {tally.begun} began, "
        f"{tally.succeeded} succeeded, {tally.failed} failed, {tally.lost} silent{more}"
    )


@contextlib.contextmanager
def _plane(args: argparse.Namespace) -> Iterator[ControlPlane]:
    from ota.rollout.management import HawkbitManagement
    from services.fleet.guarding import AtBroker, AtHawkbit

    if (args.hawkbit is None) != (args.hawkbit_rollout is None):
        raise UsageError("--hawkbit and --hawkbit-rollout go together")
    if args.hawkbit is None:
        with watch_of(args).watching() as watch:
            yield AtBroker(watch)
        return
    password = os.environ.get(PASSWORD)
    if not password:
        raise UsageError(f"the password of {args.hawkbit_user} at hawkBit: set {PASSWORD}")
    try:
        server = HawkbitManagement(args.hawkbit, args.hawkbit_user, password)
    except ValueError as error:
        raise UsageError(f"--hawkbit: {error}") from error
    yield AtHawkbit(server, args.hawkbit_rollout, limits_of(args))


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(text)
    return value
