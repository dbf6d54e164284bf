"""``linnet engine``: TensorRT plans of a bundle."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from services.commands.common import add_config, add_json
from services.commands.workshop import workshop
from services.exit_codes import ExitCode

if TYPE_CHECKING:
    from device.bundle import Bundle
    from services.settings import Settings

HELP = "build TensorRT engines of a bundle's parts, and prove that they run as they should"
EXAMPLE = "linnet engine selftest --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_build(
        actions.add_parser(
            "build",
            help="build for this machine's GPU and keep it; with --target, --all or --precision: "
            "prove that every part builds, and keep nothing",
        )
    )
    _add_selftest(actions.add_parser("selftest", help="known answers, kernels, memory and speed"))
    _add_inspect(actions.add_parser("inspect", help="layers by precision, as TensorRT tells them"))


def run(args: argparse.Namespace) -> int:
    return _ACTIONS[args.action](args)


def _add_build(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--target", metavar="SM", help="GPU generation, as sm86 (default: this machine's)"
    )
    parser.add_argument(
        "--all", action="store_true", help="every part in every precision that it can be had in"
    )
    _add_part(parser)
    parser.add_argument(
        "--precision", action="append", choices=("fp16", "int8", "int4"), help="only this precision"
    )
    parser.add_argument(
        "--tensorrt", choices=("tensorrt", "tensorrt_rtx"), help="which module builds"
    )
    _add_common(parser)


def _add_selftest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--backend",
        choices=("tensorrt", "onnx"),
        default="tensorrt",
        help="what to test: the GPU (default) or the processor",
    )
    _add_common(parser)


def _add_inspect(parser: argparse.ArgumentParser) -> None:
    _add_part(parser)
    _add_common(parser)


def _add_part(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--part", action="append", metavar="NAME", help="only this part")


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bundle", type=Path, metavar="DIR", help="model bundle (default: the settings')"
    )
    add_json(parser)
    add_config(parser)


def _build(args: argparse.Namespace) -> int:
    bundle, settings = _opened(args)
    if args.target or args.all or args.precision or args.tensorrt:
        built = workshop("engine_build").run(args, bundle)
        return ExitCode.OK if built else ExitCode.CHECK_FAILED
    from ota.generations import Generations
    from services.engine.commands import build_here

    installed = Generations(settings.model.generations).installed()
    kept = [generation.name.partition("-")[2] for generation in installed]
    return build_here(args, bundle, settings.model.plans, kept)


def _selftest(args: argparse.Namespace) -> int:
    from services.engine.commands import selftest

    bundle, settings = _opened(args)
    return selftest(args, bundle, settings.model.plans)


def _inspect(args: argparse.Namespace) -> int:
    from services.engine.commands import inspect

    bundle, settings = _opened(args)
    return inspect(args, bundle, settings.model.plans)


def _opened(args: argparse.Namespace) -> tuple[Bundle, Settings]:
    from device.bundle import Bundle
    from services.bundles import chosen_bundle
    from services.settings import Settings

    settings = Settings.load(args.config)
    return Bundle.open(args.bundle or chosen_bundle(settings)), settings


_ACTIONS = {"build": _build, "selftest": _selftest, "inspect": _inspect}
