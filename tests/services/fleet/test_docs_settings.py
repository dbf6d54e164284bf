"""The settings shown in docs/updates.md are settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.settings import Settings

PAGE = Path(__file__).parents[3] / "docs" / "updates.md"
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_each_block_loads(block: str, tmp_path: Path) -> None:
    path = tmp_path / "linnet.toml"
    path.write_text(block, "utf-8")
    assert Settings.load(path).ota != Settings().ota


def test_there_are_blocks() -> None:
    assert len(BLOCKS) == 2
