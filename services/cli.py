"""The ``linnet`` command: finds the sub-command, runs it, turns known errors into one line.

An error whose class (or a base of it) stands in ``_EXIT_CODES`` is printed without a trace and
ends with that code. Anything else is a fault in Linnet and keeps its trace.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from services.exit_codes import ExitCode

COMMANDS = (
    "demo", "talk", "run", "devices", "config", "doctor", "bundle", "mcp", "eval", "bench",
    "engine", "export", "plan", "ota", "fleet",
)  # fmt: skip

# By name, so that an error's module is imported only by the command that can raise it.
_EXIT_CODES = {
    "services.commands.common:UsageError": ExitCode.USAGE,
    "services.settings_file:SettingsError": ExitCode.SETTINGS,
    "device.errors:AudioError": ExitCode.AUDIO,
    "device.sound.synthesis:SynthesisError": ExitCode.MISSING_PACKAGE,
    "services.voice.espeak:VoiceMissing": ExitCode.MISSING_PACKAGE,
    "services.voice.second_opinion:RecogniserMissing": ExitCode.MISSING_PACKAGE,
    "device.errors:BundleError": ExitCode.BUNDLE,
    "device.errors:EngineError": ExitCode.BUNDLE,
    "ota.generations:GenerationError": ExitCode.BUNDLE,
    "ota.errors:OtaError": ExitCode.UPDATE,
    "ota.repository.errors:PublishError": ExitCode.UPDATE,
    "services.home.broker:BrokerError": ExitCode.BROKER,
    "services.local_socket:SocketError": ExitCode.CHECK_FAILED,
    "services.mcp.token:TokenError": ExitCode.SETTINGS,
    "model_export.onnx_graph:ExportError": ExitCode.CHECK_FAILED,
    "model_export.commands.engine_build:TensorRtMissing": ExitCode.MISSING_PACKAGE,
}

# Optional packages and the extra that brings each.
_EXTRAS = {
    "pocketsphinx": "recogniser",
    **dict.fromkeys(("mcp", "mcp_types", "anyio", "httpx2", "starlette", "uvicorn"), "mcp"),
    "pyaudio": "audio",
    "pycuda": "jetson",
    "matplotlib": "publisher",
    **dict.fromkeys(("tuf", "securesystemslib", "cryptography", "urllib3", "zstandard"), "fleet"),
    **dict.fromkeys(("torch", "onnx", "onnxscript", "model_export"), "export"),
}


def build_parser() -> argparse.ArgumentParser:
    """The whole command line, sub-commands included."""
    parser = argparse.ArgumentParser(
        prog="linnet",
        description="A private voice appliance: it hears, moves devices, answers aloud.",
        epilog=_codes(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name in COMMANDS:
        module = command_module(name)
        sub = commands.add_parser(
            name,
            help=module.HELP,
            description=module.HELP[0].upper() + module.HELP[1:] + ".",
            epilog=f"example:\n  {module.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return parser


def command_module(name: str) -> ModuleType:
    """The module that registers the command."""
    return importlib.import_module(f"services.commands.{name}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns an ``ExitCode``."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.version:
        print(f"linnet {_version()}")
        return ExitCode.OK
    if args.command is None:
        parser.print_help()
        return ExitCode.USAGE
    try:
        return int(args.run(args))
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`linnet devices | head`): nothing left to tell it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:
        code = exit_code_of(error)
        if code is None:
            raise
        print(f"linnet {args.command}: {_line(error)}", file=sys.stderr)
        return code


def exit_code_of(error: Exception) -> ExitCode | None:
    """The documented code of an expected error; None for a fault of our own."""
    if isinstance(error, ModuleNotFoundError) and _extra(error):
        return ExitCode.MISSING_PACKAGE
    for cls in type(error).__mro__:
        code = _EXIT_CODES.get(f"{cls.__module__}:{cls.__qualname__}")
        if code is not None:
            return code
    return None


def _line(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed; run: pip install 'linnet[{_extra(error)}]'"
    return str(error)


def _extra(error: ModuleNotFoundError) -> str | None:
    return _EXTRAS.get((error.name or "").split(".")[0])


def _version() -> str:
    try:
        return version("linnet")
    except PackageNotFoundError:
        return "(run from a source tree)"


def _codes() -> str:
    names = (f"{code.value} {code.name.lower().replace('_', ' ')}" for code in ExitCode)
    return "exit status: " + ", ".join(names)


if __name__ == "__main__":
    sys.exit(main())
