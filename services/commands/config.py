"""``linnet config``: check the settings file, or show every setting."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from services.commands.common import add_json
from services.exit_codes import ExitCode

HELP = "check a settings file (key, value, line and why), or show every setting"
EXAMPLE = "linnet config check /etc/linnet/linnet.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        choices=("check", "show", "default"),
        help="check: is it right; show: all values in force; default: print a fresh file",
    )
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="default: $LINNET_CONFIG, then /etc/linnet/linnet.toml",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    actions = {"check": _check, "show": _show, "default": _default}
    return actions[args.action](args)


def _check(args: argparse.Namespace) -> int:
    from services.owner_map import with_owner_map
    from services.settings import Settings, settings_path
    from services.settings_file import SettingsError

    path = settings_path(args.file)
    try:
        with_owner_map(Settings.load(path))
    except SettingsError as error:
        if not args.json:
            raise
        print(json.dumps({"ok": False, "problems": [asdict(p) for p in error.problems]}))
        return ExitCode.SETTINGS
    name = str(path) if path else None
    if args.json:
        print(json.dumps({"ok": True, "file": name, "problems": []}))
    else:
        print(f"{name}: good" if name else "no settings file: the defaults hold")
    return ExitCode.OK


def _show(args: argparse.Namespace) -> int:
    from services.settings import Settings, settings_path
    from services.settings_file import entries

    path = settings_path(args.file)
    found = list(entries(Settings.load(path), path.read_text("utf-8-sig") if path else ""))
    if args.json:
        rows = [{"key": e.key, "value": e.value, "line": e.line, "doc": e.doc} for e in found]
        print(json.dumps({"file": str(path) if path else None, "settings": rows}, default=str))
        return ExitCode.OK
    for entry in found:
        origin = f"line {entry.line}" if entry.line else "default"
        value = "(unset)" if entry.value is None else str(entry.value)
        print(f"{entry.key:26} {value:24} {origin:9} {entry.doc}")
    return ExitCode.OK


def _default(args: argparse.Namespace) -> int:
    from services.settings import Settings
    from services.settings_file import render

    print(render(Settings()), end="")
    return ExitCode.OK
