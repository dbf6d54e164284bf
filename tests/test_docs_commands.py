"""The documentation's commands are run, or at least exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.cli import COMMANDS, build_parser
from services.exit_codes import ExitCode

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
LIMIT_S = 300

_BLOCK = re.compile(r"(?P<test><!-- test -->\n)?```sh\n(?P<body>.*?)^```", re.DOTALL | re.MULTILINE)
_LINNET = re.compile(r"(?:^|[`/ ])linnet ((?:[a-z]+)(?: --?[a-z-]+)*)", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced ``sh`` block; ``run`` when the line before it is ``<!-- test -->``."""

    page: str
    line: int
    body: str
    run: bool

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str, text: str) -> list[Block]:
    return [
        Block(page, text.count("\n", 0, m.start("body")), m["body"], m["test"] is not None)
        for m in _BLOCK.finditer(text)
    ]


ALL = [b for p in PAGES for b in blocks(str(p.relative_to(ROOT)), p.read_text("utf-8"))]


@pytest.fixture
def path_with_linnet(tmp_path: Path) -> str:
    """PATH on which ``linnet`` is this source tree under this interpreter."""
    command = tmp_path / "linnet"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m services.cli "$@"\n', "utf-8")
    command.chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


@pytest.mark.parametrize("block", [b for b in ALL if b.run], ids=str)
def test_marked_blocks_run(block: Block, path_with_linnet: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-euc", block.body],
        cwd=ROOT,
        env={**os.environ, "PATH": path_with_linnet},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_commands_in_the_pages_exist_with_their_options() -> None:
    """`linnet NAME --option …` in prose or in a block: the command and each option are real."""
    help_of: dict[str, str] = {}
    for action in build_parser()._subparsers._group_actions:  # type: ignore[union-attr]
        help_of |= {name: sub.format_help() for name, sub in action.choices.items()}  # type: ignore[union-attr]
    for page in PAGES:
        for words in _LINNET.findall(page.read_text("utf-8")):
            name, *options = words.split()
            assert name in help_of, f"{page.name}: linnet {name}"
            for option in options:
                assert option in help_of[name], f"{page.name}: linnet {name} {option}"


def test_the_readme_lists_every_command_and_exit_status() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert [name for name in COMMANDS if f"| `linnet {name}" not in text] == []
    status = re.search(r"\*\*Exit status\*\*:.*?\n\n", text, re.DOTALL)
    assert status is not None
    assert set(map(int, re.findall(r"\d+", status[0]))) == {code.value for code in ExitCode}


def test_make_targets_in_the_pages_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for page in PAGES:
        code = re.findall(r"`(make [a-z]+)`", page.read_text("utf-8"))
        code += re.findall(r"^(make [a-z]+)", "\n".join(b.body for b in ALL), re.MULTILINE)
        for target in {words.split()[1] for words in code}:
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page.name}: make {target}"


def test_a_block_is_found_with_its_mark() -> None:
    text = "a\n```sh\nx\n```\n<!-- test -->\n```sh\ny\nz\n```\n```text\nq\n```\n"
    assert [(b.line, b.body, b.run) for b in blocks("p", text)] == [
        (2, "x\n", False),
        (6, "y\nz\n", True),
    ]


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
