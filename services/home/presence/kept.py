"""What the owner set from outside the settings file, kept over restarts and power cuts.

The sensitivity that was set here stands until the settings file gives another than the one it
replaced: whoever edits the file last wins, wherever the edit was made.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.home.presence.commands import Switch
from services.state_file import StateFile

log = logging.getLogger(__name__)

FILE_NAME = "presence.json"
Percent = Annotated[int, Field(ge=0, le=100)]


@dataclass(frozen=True)
class Wishes:
    """What the owner wants of the appliance."""

    sensitivity: int
    """Percent."""
    mute: bool = False
    do_not_disturb: bool = False


class _Level(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    value: Percent
    instead_of: Percent
    """What the settings said when it was set."""


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    sensitivity: _Level | None = None
    mute: bool = False
    do_not_disturb: bool = False


class Kept:
    """The wishes in force; one writer."""

    def __init__(self, folder: Path | None, sensitivity: int) -> None:
        """
        Args:
            folder: where they are kept; None: nowhere.
            sensitivity: what the settings file says, in percent.
        """
        self._configured = sensitivity
        self._file: StateFile[_File] | None = None
        self._state = _File()
        if folder is not None:
            self._file = StateFile(folder / FILE_NAME, _File)
            self._state = _loaded(folder / FILE_NAME, self._file)

    @property
    def wishes(self) -> Wishes:
        kept = self._state.sensitivity
        stands = kept is not None and kept.instead_of == self._configured
        sensitivity = kept.value if kept is not None and stands else self._configured
        return Wishes(sensitivity, self._state.mute, self._state.do_not_disturb)

    def set_sensitivity(self, percent: int) -> None:
        self._keep({"sensitivity": _Level(value=percent, instead_of=self._configured)})

    def set_switch(self, what: Switch, on: bool) -> None:
        self._keep({what: on})

    def _keep(self, change: dict[str, object]) -> None:
        self._state = self._state.model_copy(update=change)
        if self._file is not None:
            self._file.save(self._state)


def _loaded(path: Path, file: StateFile[_File]) -> _File:
    existed = path.exists()
    state = file.load()
    if state is None and existed:
        # Nobody knows whether the owner had muted it: better deaf than listening unasked.
        log.error("muted until told otherwise: what was kept cannot be read")
        state = _File(mute=True)
        file.save(state)
    return state or _File()
