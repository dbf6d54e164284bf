"""Whether a line holds several commands, or one command for several things. Pure.

One line is one command: nothing is moved by half of what was asked for. But who joins two deserves
to hear that, and not that they were not understood. A part may lack words that the first or the
last part has: "turn on the lamp and the fan", "turn the lamp and the fan off".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

MOST_PARTS = 4
"""Of more, the first ones decide."""
MOST_SHARED = 3
"""Words, or Chinese characters, that a part may have in common with another."""
_JOINING = re.compile(r"\s*(?:[,;，、；]\s*|\b(?:and|then)\b\s*)+")
_JOINING_CHINESE = re.compile(r"(?:[,;，、；]|然后|并且|还有|和|跟)+")


def holds_several(line: str, language: str, commands: Callable[[str], bool]) -> bool:
    """Whether each part of a line that no template fits is a command.

    Args:
        commands: whether a text is one; asked at most 16 times.
    """
    spaced = not language.startswith("zh")
    joining = _JOINING if spaced else _JOINING_CHINESE
    parts = [part for part in joining.split(line.lower().strip()) if part][:MOST_PARTS]
    if len(parts) < 2:
        return False
    first, *others = parts
    glue = " " if spaced else ""
    head, tail = _pieces(first, spaced), _pieces(others[-1], spaced)
    if not any(map(commands, _ended(first, tail, glue))):
        return False
    return all(any(map(commands, _begun(part, head, glue))) for part in others)


def _pieces(text: str, spaced: bool) -> list[str]:
    return text.split() if spaced else list(text)


def _ended(part: str, tail: list[str], glue: str) -> Iterator[str]:
    """The part, alone and with the last words of the line after it."""
    yield part
    for shared in range(1, min(MOST_SHARED, len(tail) - 1) + 1):
        yield glue.join((part, *tail[-shared:]))


def _begun(part: str, head: list[str], glue: str) -> Iterator[str]:
    """The part, alone and with the first words of the line before it."""
    yield part
    for shared in range(1, min(MOST_SHARED, len(head) - 1) + 1):
        yield glue.join((*head[:shared], part))
