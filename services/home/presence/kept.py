"""What the owner set from outside the settings file, kept over restarts and power cuts.

A level that was set here stands until the settings file gives another than the one it replaced:
whoever edits the file last wins, wherever the edit was made.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services import durable
from services.home.presence.commands import Level, Switch

log = logging.getLogger(__name__)

MAX_BYTES = 4096
Percent = Annotated[int, Field(ge=0, le=100)]


@dataclass(frozen=True)
class Owned:
    """The owner's wishes: levels in percent."""

    volume: int
    sensitivity: int
    mute: bool = False
    do_not_disturb: bool = False


class _Level(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    value: Percent
    instead_of: Percent
    """What the settings said when it was set."""


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    volume: _Level | None = None
    sensitivity: _Level | None = None
    mute: bool = False
    do_not_disturb: bool = False


class Kept:
    """The wishes in force; one writer."""

    def __init__(self, path: Path | None, configured: Owned) -> None:
        """
        Args:
            path: None keeps nothing.
            configured: what the settings file says.
        """
        self._path, self._configured = path, configured
        self._file = self._read()
        self.owned = replace(
            configured,
            volume=_level(self._file.volume, configured.volume),
            sensitivity=_level(self._file.sensitivity, configured.sensitivity),
            mute=self._file.mute,
            do_not_disturb=self._file.do_not_disturb,
        )

    def set_level(self, what: Level, percent: int) -> None:
        before = self._configured.volume if what == "volume" else self._configured.sensitivity
        self._keep(what, percent, _Level(value=percent, instead_of=before))

    def set_switch(self, what: Switch, on: bool) -> None:
        self._keep(what, on, on)

    def _keep(self, what: str, value: int, stored: object) -> None:
        change: dict[str, Any] = {what: value}
        self.owned = replace(self.owned, **change)
        self._file = self._file.model_copy(update={what: stored})
        if self._path is None:
            return
        try:
            durable.write(self._path, self._file.model_dump_json().encode())
        except OSError as error:
            # It holds until the end of this process, which is better than not at all.
            reason = error.strerror or type(error).__name__
            log.warning("%s does not survive a restart", what, extra={"reason": reason})

    def _read(self) -> _File:
        if self._path is None:
            return _File()
        try:
            with self._path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return _File()
        except OSError as error:
            return self._muted(error.strerror or type(error).__name__)
        try:
            return _File.model_validate_json(data if len(data) <= MAX_BYTES else b"")
        except ValidationError:
            return self._muted("damaged")

    def _muted(self, reason: str) -> _File:
        """Nobody knows whether the owner had muted it: better deaf than listening unasked."""
        where = str(self._path)
        log.error("muted until told otherwise", extra={"file": where, "reason": reason})
        return _File(mute=True)


def _level(kept: _Level | None, configured: int) -> int:
    return kept.value if kept is not None and kept.instead_of == configured else configured
