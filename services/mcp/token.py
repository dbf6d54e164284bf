"""The secret that callers over HTTP must show: a file of its owner alone, made on first use."""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path

from ota.storage import Disk

BYTES = 32
MAX_BYTES = 256
_FORM = re.compile(r"[A-Za-z0-9_-]{32,128}")


class TokenError(Exception):
    """A token file that cannot be used; the text never holds the token."""


def read_or_create(path: Path) -> str:
    """The token in the file; a fresh one is written where there is none.

    Raises:
        TokenError: others can read it, it is not ours, holds no token, or cannot be made.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        return _create(path)
    except OSError as error:
        raise TokenError(f"{path}: cannot be read: {error.strerror}") from error


def read(path: Path) -> str:
    """The token in a file that must be there. Raises TokenError."""
    try:
        return _read(path)
    except OSError as error:
        raise TokenError(f"{path}: cannot be read: {error.strerror}") from error


def _read(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise TokenError(f"{path}: is not a plain file")
        if found.st_mode & 0o077:
            raise TokenError(f"{path}: others may read it; run: chmod 600 {path}")
        if found.st_uid != os.geteuid():
            raise TokenError(f"{path}: belongs to another user; name another mcp.token_file")
        data = file.read(MAX_BYTES + 1)
    text = data.decode("ascii", "replace").strip()
    if not _FORM.fullmatch(text):
        raise TokenError(f"{path}: holds no token of 32 to 128 letters, digits, - and _; remove it")
    return text


def _create(path: Path) -> str:
    token = secrets.token_urlsafe(BYTES)
    draft = path.with_name(f".{path.name}.new")
    disk = Disk()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        disk.remove(draft)  # left by a power cut
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
            file.write(token.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        disk.rename(draft, path)
        disk.sync_directory(path.parent)
    except OSError as error:
        hint = "name another mcp.token_file"
        raise TokenError(f"{path}: cannot be made: {error.strerror}; {hint}") from error
    return token
