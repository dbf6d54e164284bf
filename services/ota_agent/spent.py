"""What fetching for one assignment has cost, remembered over restarts and tries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.state_file import StateFile

FILE_NAME = "spent.json"
STEP = 2**20
"""Bytes after which the count is made durable: what a power cut may forget."""


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Annotated[str, Field(max_length=512)]
    bytes: Annotated[int, Field(ge=0)] = 0


class Spent:
    """Bytes received for one action, useful or not."""

    def __init__(self, folder: Path, action: str) -> None:
        """What was spent for another action before is forgotten."""
        self._file = StateFile(folder / FILE_NAME, _Kept)
        kept = self._file.load()
        self._action = action
        self.bytes = self._kept = kept.bytes if kept and kept.action == action else 0

    def add(self, count: int) -> None:
        """Account for bytes that arrived. Raises OSError: a budget that cannot be kept is none."""
        self.bytes += count
        if self.bytes - self._kept >= STEP:
            self.keep()

    def keep(self) -> None:
        """Make the count durable. Raises OSError."""
        if self.bytes != self._kept:
            self._file.write(_Kept(action=self._action, bytes=self.bytes))
            self._kept = self.bytes


@contextmanager
def counted(folder: Path, action: str) -> Iterator[Spent]:
    """The count of an action; durable at the end, however it comes."""
    spent = Spent(folder, action)
    try:
        yield spent
    finally:
        spent.keep()
