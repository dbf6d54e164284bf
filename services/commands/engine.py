"""``linnet engine``: TensorRT plans of a bundle."""

from __future__ import annotations

import argparse
from pathlib import Path

from services.commands.common import add_config, add_json
from services.commands.workshop import workshop
from services.exit_codes import ExitCode

HELP = "build TensorRT engines of a bundle's parts"
EXAMPLE = "linnet engine build --target sm86 --all --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_build(actions.add_parser("build", help="prove that every part builds in each precision"))


def run(args: argparse.Namespace) -> int:
    return _ACTIONS[args.action](args)


def _add_build(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--target", metavar="SM", help="GPU generation, as sm86 (default: this machine's)"
    )
    parser.add_argument("--all", action="store_true", help="every part in every precision")
    parser.add_argument("--part", action="append", metavar="NAME", help="only this part")
    parser.add_argument(
        "--precision", action="append", choices=("fp16", "int8", "int4"), help="only this precision"
    )
    parser.add_argument(
        "--bundle", type=Path, metavar="DIR", help="model bundle (default: the settings')"
    )
    parser.add_argument(
        "--tensorrt", choices=("tensorrt", "tensorrt_rtx"), help="which module builds"
    )
    add_json(parser)
    add_config(parser)


def _build(args: argparse.Namespace) -> int:
    from device.bundle import Bundle
    from services.bundles import chosen_bundle
    from services.commands.common import UsageError
    from services.settings import Settings

    if not (args.all or args.part or args.precision):
        raise UsageError("linnet engine build needs --all, --part or --precision")
    bundle = Bundle.open(args.bundle or chosen_bundle(Settings.load(args.config)))
    built = workshop("engine_build").run(args, bundle)
    return ExitCode.OK if built else ExitCode.CHECK_FAILED


_ACTIONS = {"build": _build}
