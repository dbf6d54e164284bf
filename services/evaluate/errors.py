"""What can be wrong with an evaluation set."""

from __future__ import annotations

from device.errors import AudioError


class SetError(AudioError):
    """A set of recordings that cannot be used: which file and line, and why."""

    def __init__(self, where: str, problem: str, remedy: str = "mend or remove it") -> None:
        super().__init__(where, problem, remedy)
