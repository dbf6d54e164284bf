"""``linnet fleet publish``: a bundle as a release of a device class."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from services.commands.common import positive
from services.fleet.common import add_class, add_repository, checked, publisher_of, say

if TYPE_CHECKING:
    from device.bundle import Bundle
    from ota.release import Compat, Gate, Release

HELP = "publish a bundle as a release of a device class; nobody installs it before a roll-out"
EXAMPLE = "linnet fleet publish bundles/linnet_mini-en --class pc-x86-64 --release 2026.3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="directory of the bundle")
    add_class(parser)
    parser.add_argument("--release", required=True, metavar="R", help="its name, as 2026.3")
    parser.add_argument(
        "--counter", type=positive, metavar="N", help="default: one more than the newest"
    )
    parser.add_argument(
        "--deltas",
        type=int,
        choices=range(9),
        default=2,
        metavar="N",
        help="make deltas from so many releases before (default: 2)",
    )
    parser.add_argument("--notes", default="", help="what is new, for owners to read")
    _add_compat(parser.add_argument_group("devices it fits"))
    _add_gate(parser.add_argument_group("what it has to prove on each device"))
    add_repository(parser)


def run(args: argparse.Namespace) -> int:
    from device.bundle import Bundle
    from ota.repository.deltas import contents_with_deltas
    from ota.repository.releases import class_metadata, make_release, publish_release, releases

    bundle = Bundle.open(args.bundle)
    with publisher_of(args) as publisher:
        shelf = publisher.shelf
        earlier = releases(shelf, class_metadata(publisher, args.device_class))[: args.deltas]
        release = make_release(
            publisher,
            bundle,
            args.device_class,
            args.release,
            compat=_compat(args, bundle),
            gate=_gate(args, bundle),
            notes=args.notes,
            counter=args.counter,
            unproved=args.unproved,
        )
        # Only now: deltas take minutes, and stay among the contents.
        contents = contents_with_deltas(shelf, bundle, earlier)
        release = release.model_copy(update={"contents": contents})
        outcome = publish_release(publisher, bundle, release)
        facts = {"target": release.target, "counter": release.counter}
        return say(args, publisher, outcome, **facts, delta_bytes=_delta_bytes(release))


def _delta_bytes(release: Release) -> dict[str, int]:
    """What the deltas from the release before cost, by file."""
    return {one.file: one.deltas[0].bytes for one in release.contents if one.deltas}


def _add_compat(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--board", action="append", default=[], help="may be repeated")
    group.add_argument("--sm", action="append", type=int, default=[], help="GPU, as 87")
    group.add_argument(
        "--l4t", nargs=2, metavar=("FIRST", "LAST"), help="Jetson Linux, from and to"
    )
    group.add_argument("--memory-mb", type=positive, help="default: what the bundle says")
    group.add_argument("--minimum-app", help="oldest Linnet (default: what the bundle says)")


def _add_gate(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--utterance",
        metavar="FILE",
        help="recording among the bundle's files (default: its `gate`)",
    )
    group.add_argument("--call", help='the call it must give, as: HassTurnOn {"name": "lamp"}')
    group.add_argument("--slower", type=float, help="p95, as a multiple of the release before")
    group.add_argument(
        "--max-wer", type=float, help="word errors for each word of its reply (default: 0.75)"
    )
    group.add_argument("--gate-seconds", type=float, help="time for all of it, at most 800")
    group.add_argument("--soak-turns", type=int, help="real turns before it is kept")
    group.add_argument("--soak-seconds", type=float, help="or this long")
    group.add_argument(
        "--unproved",
        action="store_true",
        help="publish without a recording, its call or a soak: devices keep whatever loads",
    )


def _compat(args: argparse.Namespace, bundle: Bundle) -> Compat:
    from ota.release import Compat

    hardware = bundle.manifest.hardware
    return checked(
        Compat,
        boards=args.board,
        sm=args.sm or [int(sm) for sm in hardware.sm],
        l4t=args.l4t,
        memory_mb=args.memory_mb or hardware.memory_mb,
        minimum_app=args.minimum_app or bundle.manifest.minimum_runtime,
    )


def _gate(args: argparse.Namespace, bundle: Bundle) -> Gate:
    from ota.release import Gate

    recording = bundle.manifest.files.get("gate")
    own = args.utterance is None and recording is not None
    said = {
        "utterance": recording.file if own and recording else args.utterance,
        "call": args.call or (bundle.manifest.config.get("gate_call") if own else None),
        "slower": args.slower,
        "max_wer": args.max_wer,
        "seconds": args.gate_seconds,
        "soak_turns": args.soak_turns,
        "soak_seconds": args.soak_seconds,
    }
    return checked(Gate, **{key: value for key, value in said.items() if value is not None})
