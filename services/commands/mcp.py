"""``linnet mcp``: the home as tools for other programs."""

from __future__ import annotations

import argparse

from services.commands.common import add_config, add_json

HELP = "serve the home's functions as MCP tools, or list and call tools"
EXAMPLE = "linnet mcp --simulated --list"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    way = parser.add_mutually_exclusive_group()
    way.add_argument(
        "--http", type=int, metavar="PORT",
        help="serve on this machine's PORT (0: a free one), to who shows the token of "
        "mcp.token_file (default: serve on standard input and output)",
    )  # fmt: skip
    way.add_argument(
        "--list", action="store_true", help="list the home's tools and those of mcp.servers"
    )
    way.add_argument(
        "--call", nargs=2, metavar=("TOOL", "ARGUMENTS"), help="call one, with a JSON object"
    )
    parser.add_argument(
        "--simulated", action="store_true", help="a simulated home, not the broker's"
    )
    add_json(parser)
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    from services.mcp import command

    return command.main(args)
