"""How loud the appliance speaks: whole percents, steps, kept across restarts.

While a timer or an alarm rings it is never quieter than the owner's least volume for ringing: who
turned it down last night must still be woken. The volume itself is left as it was set.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.state_file import StateFile

STEP = 10
"""Percent that "louder" and "quieter" change."""
LEAST_RINGING = 40
"""Percent."""
UNMUTED = 40
"""Percent after "unmute", where it was silent when the program started."""
FILE_NAME = "volume.json"


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    level: Annotated[int, Field(ge=0, le=100)]


class Volume:
    """The one place that knows the volume; safe from any thread."""

    def __init__(
        self,
        level: int = 80,
        *,
        least_ringing: int = LEAST_RINGING,
        folder: Path | None = None,
        apply: Callable[[float], None] = lambda gain: None,
    ) -> None:
        """
        Args:
            level: 0..100, where nothing was kept.
            least_ringing: 0..100, how loud it is at least while something rings.
            folder: where it is kept; None: nowhere.
            apply: told the gain, 0..1, now and at each change.
        """
        self._file = StateFile(folder / FILE_NAME, _Kept) if folder else None
        kept = self._file.load() if self._file else None
        self._level = _within(kept.level if kept else level)
        self._audible = self._level or UNMUTED
        self._least_ringing = _within(least_ringing)
        self._ringing = False
        self._apply = apply
        self._lock = threading.Lock()
        self._sound()

    @property
    def level(self) -> int:
        """0..100."""
        return self._level

    def set(self, level: int) -> int:
        """Set the volume, brought within 0..100; what it is now, in percent."""
        with self._lock:
            return self._set(level)

    def change(self, percent: int) -> int:
        """Louder, or quieter by a negative number, as far as it goes; what it is now."""
        with self._lock:
            return self._set(self._level + percent)

    def unmute(self) -> int:
        """As loud as it last was before it was silent; what it is now."""
        with self._lock:
            return self._set(self._level or self._audible)

    def ring(self, ringing: bool) -> None:
        """Something rings from now on, or nothing does any more."""
        with self._lock:
            if ringing != self._ringing:
                self._ringing = ringing
                self._sound()

    def _set(self, level: int) -> int:
        self._level = _within(level)
        self._audible = self._level or self._audible
        self._sound()
        if self._file:
            self._file.save(_Kept(level=self._level))
        return self._level

    def _sound(self) -> None:
        least = self._least_ringing if self._ringing else 0
        self._apply(max(self._level, least) / 100)


def _within(level: int) -> int:
    return min(100, max(0, level))
