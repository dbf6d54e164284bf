"""``linnet devices``: what the home has, and the owner's rooms, floors and names for it."""

from __future__ import annotations

import argparse

from services.commands.common import UsageError, add_config, add_json

HELP = "list the devices that announce themselves at the broker, or assign rooms and names to them"
EXAMPLE = "linnet devices --json"
ASSIGN_HELP = "say which room a device is in, what else it is called, or which floor a room is on"
ASSIGN_EXAMPLE = 'linnet devices assign light.desk --area office --alias "reading light"'
ASSIGN_USAGE = """linnet devices assign DEVICE [--area ROOM] [--alias NAME]...
       linnet devices assign --room ROOM [--floor FLOOR] [--alias NAME]...
       linnet devices assign --group NAME --area ROOM
       linnet devices assign (DEVICE | --room ROOM | --group NAME) --clear"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _add_shared(parser)
    parser.set_defaults(wait=2.0)
    actions = parser.add_subparsers(dest="action", metavar="assign")
    # Suppressed: else an option that stands before `assign` would be set back to its default.
    assign = actions.add_parser(
        "assign",
        argument_default=argparse.SUPPRESS,
        usage=ASSIGN_USAGE,
        help=ASSIGN_HELP,
        description=ASSIGN_HELP[0].upper() + ASSIGN_HELP[1:] + ".",
        epilog=f"example:\n  {ASSIGN_EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    assign.add_argument(
        "device", nargs="?", default=None, metavar="DEVICE", help="as `linnet devices` lists it"
    )
    assign.add_argument("--area", default=None, metavar="ROOM", help="the room the device is in")
    assign.add_argument(
        "--alias",
        action="append",
        default=None,
        metavar="NAME",
        help="another name, up to 8 times; they replace those assigned before",
    )
    assign.add_argument(
        "--room", default=None, metavar="ROOM", help="a room of the home, or a floor to --alias"
    )
    assign.add_argument(
        "--group", default=None, metavar="NAME", help="a zigbee2mqtt group, for its members' --area"
    )
    assign.add_argument("--floor", default=None, metavar="FLOOR", help="the floor of that room")
    assign.add_argument("--clear", action="store_true", default=False, help="forget what was said")
    _add_shared(assign)


def run(args: argparse.Namespace) -> int:
    from services import assign, devices

    if args.action is None:
        return devices.main(args)
    why = _misfit(args)
    if why:
        raise UsageError(why)
    return assign.main(args)


def _misfit(args: argparse.Namespace) -> str:
    """What is wrong with the arguments of ``assign``; empty when they fit together."""
    if sum(given is not None for given in (args.device, args.room, args.group)) != 1:
        return "name one DEVICE, before the options, or one --room, or one --group"
    if args.group is not None and not (args.floor is None and args.alias is None):
        return "a --group has only an --area"
    if args.device is not None and args.floor is not None:
        return "--floor is of a --room, not of a DEVICE"
    if args.room is not None and args.area is not None:
        return "--area is of a DEVICE, not of a --room"
    if args.clear == any(given is not None for given in (args.area, args.alias, args.floor)):
        return "say what to assign, or --clear alone"
    return ""


def _add_shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", type=float, metavar="S", help="seconds to collect (default: 2)")
    add_json(parser)
    add_config(parser)
