"""What the real disk is asked for, in which order."""

from __future__ import annotations

import hashlib
import stat
import sys
from pathlib import Path
from types import BuiltinFunctionType, FrameType

from ota.release import Content
from ota.storage import Disk
from ota.store import Store
from ota.transfer import HttpSource


class AsAUser(Disk):
    """Refuses to write to a read-only file, as a disk does to everyone but root."""

    def append(self, path: Path, data: bytes) -> None:
        if path.exists() and not path.stat().st_mode & stat.S_IWUSR:
            raise PermissionError(13, "Permission denied", str(path))
        super().append(path, data)


def test_a_files_bytes_are_durable_before_it_can_no_longer_be_written(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"x")
    asked: list[str] = []

    def look(frame: FrameType, event: str, called: object) -> None:
        if event == "c_call" and isinstance(called, BuiltinFunctionType):
            asked.append(called.__name__)

    sys.setprofile(look)
    try:
        Disk().seal(tmp_path / "part")
    finally:
        sys.setprofile(None)
    assert [name for name in asked if name in ("fsync", "fchmod")] == ["fsync", "fchmod", "fsync"]
    assert stat.S_IMODE((tmp_path / "part").stat().st_mode) == 0o444


def test_an_empty_content_that_was_sealed_before_a_kill_is_admitted(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", AsAUser())
    nothing = Content(file="x", bytes=0, sha256=hashlib.sha256(b"").hexdigest())
    store.append(nothing.sha256, b"")
    store.disk.seal(store.part(nothing.sha256))
    assert HttpSource([]).fetch(nothing, store).read_bytes() == b""
