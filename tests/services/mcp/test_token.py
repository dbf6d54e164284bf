"""The token: made once, for its owner's eyes, and refused when others could have seen it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from services.mcp.token import TokenError, read, read_or_create


def test_it_is_made_on_first_use_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "mcp" / "token"
    token = read_or_create(path)
    assert len(token) >= 43
    assert read_or_create(path) == read(path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["token"]
    assert read_or_create(tmp_path / "other") != token


def test_the_umask_cannot_open_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        read_or_create(tmp_path / "token")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o622])
def test_one_that_others_can_reach_is_refused_and_not_told(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "token"
    token = read_or_create(path)
    path.chmod(mode)
    with pytest.raises(TokenError, match="others may read it; run: chmod 600") as caught:
        read_or_create(path)
    assert token not in str(caught.value)


def test_a_file_that_holds_no_token_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    for text in ("", "short", "x" * 300, "spaces in " * 5):
        path.write_text(text)
        path.chmod(0o600)
        with pytest.raises(TokenError, match="holds no token"):
            read_or_create(path)


def test_links_and_directories_are_refused(tmp_path: Path) -> None:
    real = tmp_path / "real"
    read_or_create(real)
    (tmp_path / "link").symlink_to(real)
    (tmp_path / "dir").mkdir()
    for name in ("link", "dir"):
        with pytest.raises(TokenError):
            read_or_create(tmp_path / name)


def test_one_that_must_be_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(TokenError, match="No such file"):
        read(tmp_path / "token")
    assert list(tmp_path.iterdir()) == []
