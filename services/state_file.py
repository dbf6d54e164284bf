"""Small files that must survive a power cut: read with a bound, written whole or not at all."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from ota.storage import Disk, Storage

log = logging.getLogger(__name__)

MAX_BYTES = 256 * 1024
DAMAGED = ".damaged"

M = TypeVar("M", bound=BaseModel)


def state_directory() -> Path | None:
    """Where systemd lets this service keep its state; None outside of it."""
    named = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    return Path(named) if named else None


class StateDamaged(ValueError):
    """A file that cannot be understood; says where, never what stands there."""


class StateFile(Generic[M]):
    """One JSON file of one pydantic model, readable by this service alone unless told otherwise."""

    def __init__(
        self, path: Path, model: type[M], disk: Storage | None = None, *, mode: int = 0o600
    ) -> None:
        """
        Args:
            mode: rights of the file, whatever the umask.
        """
        self._path, self._model, self._disk = path, model, disk or Disk()
        self._mode = mode
        self._failing = False

    def read(self) -> M | None:
        """What was saved last; None where nothing was.

        Raises:
            OSError: it cannot be read.
            StateDamaged: it cannot be understood.
        """
        try:
            with self._path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        if len(data) > MAX_BYTES:
            raise StateDamaged(f"larger than {MAX_BYTES} bytes")
        try:
            return self._model.model_validate_json(data)
        except ValidationError as error:
            # pydantic's own text quotes the file, which holds names that people gave.
            where = [".".join(map(str, e["loc"]))[:80] for e in error.errors()[:3]]
            raise StateDamaged(f"not valid at {', '.join(where) or 'its top'}") from None

    def load(self) -> M | None:
        """What was saved last; None where nothing was, or nothing readable.

        A file that cannot be understood is moved aside, so that it can be looked at and the next
        save does not destroy it.
        """
        try:
            return self.read()
        except OSError as error:
            log.error("state cannot be read", extra=self._fields(error))
        except StateDamaged as error:
            self._set_aside(error)
        return None

    def save(self, state: M) -> bool:
        """Write it so that after a power cut there is the old file or the new; whether it did.

        A disk that refuses is logged once, until it works again: what is in memory still counts.
        """
        try:
            self.write(state)
        except OSError as error:
            if not self._failing:
                log.error("state cannot be saved", extra=self._fields(error))
            self._failing = True
            return False
        self._failing = False
        return True

    def write(self, state: M) -> None:
        """As ``save``, but the caller is told why not. Raises OSError."""
        data = state.model_dump_json(indent=1).encode()
        if len(data) > MAX_BYTES:  # it could not be read again
            raise OSError(errno.EFBIG, f"larger than {MAX_BYTES} bytes")
        draft = self._path.with_name(self._path.name + ".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
            os.fchmod(file.fileno(), self._mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._disk.rename(draft, self._path)
        self._disk.sync_directory(self._path.parent)

    def _set_aside(self, error: StateDamaged) -> None:
        aside = self._path.with_name(self._path.name + DAMAGED)
        log.error(
            "state is damaged and moved aside; starting empty",
            extra={"path": str(self._path), "aside": str(aside), "reason": str(error)},
        )
        try:
            self._disk.rename(self._path, aside)
            self._disk.sync_directory(aside.parent)
        except OSError as failed:
            log.error("state cannot be moved aside", extra=self._fields(failed))

    def _fields(self, error: OSError) -> dict[str, str]:
        return {"path": str(self._path), "reason": error.strerror or type(error).__name__}
