"""The order in which text and sound tokens take turns in an interleaved reply.

One schedule serves every family: GLM-4-Voice writes 13 text then 26 audio, Chroma 1 and 2,
Step-Audio 2 and 3. When the text ends early, the rest is sound until the sound ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Slot = Literal["text", "audio"]


@dataclass(frozen=True)
class InterleaveSchedule:
    """``text`` tokens, then ``audio`` tokens, over and over."""

    text: int
    """Text tokens in a block."""
    audio: int
    """Sound tokens in a block."""

    def __post_init__(self) -> None:
        if self.text < 1 or self.audio < 1:
            raise ValueError(f"schedule {self.text}:{self.audio} needs at least one of each")

    @property
    def period(self) -> int:
        return self.text + self.audio

    def slot(self, index: int) -> Slot:
        """What the token at ``index`` (from 0) is, while the text lasts."""
        if index < 0:
            raise ValueError(f"token index {index} is negative")
        return "text" if index % self.period < self.text else "audio"

    def cursor(self) -> ScheduleCursor:
        return ScheduleCursor(self)


class ScheduleCursor:
    """A place in a schedule: says what comes next, and is told what came."""

    def __init__(self, schedule: InterleaveSchedule) -> None:
        self._schedule = schedule
        self._index = 0
        self._text_ended = False

    @property
    def next(self) -> Slot:
        return "audio" if self._text_ended else self._schedule.slot(self._index)

    def advance(self) -> Slot:
        """Take the next slot and return what it was."""
        slot = self.next
        self._index += 1
        return slot

    def end_text(self) -> None:
        """The text is complete: every slot from here on is sound."""
        self._text_ended = True

    @property
    def text_ended(self) -> bool:
        return self._text_ended
