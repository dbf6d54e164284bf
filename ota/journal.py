"""The updater's memory on disk: one small file, changed only under a lock, whole or not at all.

Agent, command and the daemon's preflight are processes of their own: each reads, decides and
stores while it holds the lock, and acts only on what is durable.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from ota.errors import Reason, StoreError
from ota.machine import Ledger
from ota.storage import Disk, Storage, replace_file

log = logging.getLogger(__name__)

NAME = "journal.json"
MAX_BYTES = 256 * 1024


class Journal:
    """The ledger in ``folder``, which is made on the first change."""

    def __init__(self, folder: Path, storage: Storage | None = None) -> None:
        self.folder = folder
        self._disk = storage or Disk()
        self._path = folder / NAME

    def read(self) -> Ledger:
        """What was stored last; an empty ledger where nothing readable was.

        Raises:
            StoreError: the disk refuses.
        """
        try:
            with self._path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return Ledger()
        except OSError as error:
            raise _refused(self._path, error) from error
        try:
            return Ledger.model_validate_json(data[:MAX_BYTES])
        except ValidationError:
            # Never written like this: a power cut leaves the old file or the new one. What an
            # update was at is lost with it; what serves is told by ``current`` alone.
            log.error("the updater's journal is damaged: starting empty", extra=self._where())
            return Ledger()

    def change(self, decide: Callable[[Ledger], Ledger]) -> Ledger:
        """Store what ``decide`` makes of the ledger; durable when this returns.

        Raises:
            StoreError: the disk refuses; the ledger is as it was before, or as decided.
        """
        with self._locked():
            before = self.read()
            after = decide(before)
            if after != before:
                self._store(after)
            return after

    def _store(self, ledger: Ledger) -> None:
        try:
            replace_file(self._disk, self._path, ledger.model_dump_json(indent=1).encode())
        except OSError as error:
            raise _refused(self._path, error) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            if not self.folder.is_dir():
                self._disk.make_directory(self.folder)
                self._disk.sync_directory(self.folder.parent)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            lock = os.open(self.folder / ".journal.lock", flags, 0o600)
        except OSError as error:
            raise _refused(self.folder, error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)  # held for milliseconds by whoever has it
            yield
        finally:
            os.close(lock)

    def _where(self) -> dict[str, str]:
        return {"path": str(self._path)}


def _refused(path: Path, error: OSError) -> StoreError:
    return StoreError(Reason.DISK, f"{path}: {error.strerror or type(error).__name__}")
