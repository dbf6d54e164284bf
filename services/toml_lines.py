"""On which line of a TOML text each key stands.

``tomllib`` gives values without positions. This scan runs only after ``tomllib`` has accepted the
text, so it may take the grammar for granted: it follows tables, dotted and quoted keys, and steps
over strings, arrays and inline tables that span lines.
"""

from __future__ import annotations

import re

Path = tuple[str, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|' r"'''.*?'{3,5}|" r'"(?:\\.|[^"\\\n])*"|' r"'[^'\n]*'", re.DOTALL
)
_ESCAPE = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(["\\bfnrt]))')
_NAMED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


def key_lines(text: str) -> dict[Path, int]:
    """Line, from 1, of every table and key of a valid TOML text.

    Keys inside inline tables are not listed; ``line_of`` gives the line of what holds them.
    """
    return _Scan(text.replace("\r\n", "\n")).run()


def line_of(lines: dict[Path, int], path: Path) -> int | None:
    """Line of the key, or of the nearest table that holds it."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}

    def run(self) -> dict[Path, int]:
        table: Path = ()
        while self._skip_blank():
            line = self.text.count("\n", 0, self.at) + 1
            if self.text[self.at] == "[":
                self.at += 2 if self.text.startswith("[[", self.at) else 1
                table = self._key()
                self.lines.setdefault(table, line)
                self._to_line_end()
            else:
                self.lines.setdefault(table + self._key(), line)
                self._value()
        return self.lines

    def _skip_blank(self) -> bool:
        """Move to the next key or table; False at the end of the text."""
        while self.at < len(self.text):
            if self.text[self.at] == "#":
                self._to_line_end()
            elif self.text[self.at].isspace():
                self.at += 1
            else:
                return True
        return False

    def _to_line_end(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end

    def _key(self) -> Path:
        """Read ``a.'b c'."d"`` and what stands after it, ``=`` or ``]``."""
        pieces: list[str] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in "=]":
                self.at += 1
                break
            match = (_STRING if char in "\"'" else _BARE).match(self.text, self.at)
            if match:
                pieces.append(_plain(match.group()))
                self.at = match.end()
            else:  # a dot or a blank
                self.at += 1
        return tuple(pieces)

    def _value(self) -> None:
        """Step over a value: to the end of the line that closes its last bracket."""
        depth = 0
        while self.at < len(self.text):
            char = self.text[self.at]
            match = _STRING.match(self.text, self.at) if char in "\"'" else None
            if match:
                self.at = match.end()
                continue
            if char == "#":
                self._to_line_end()
                continue
            if char == "\n" and depth == 0:
                return
            depth += (char in "[{") - (char in "]}")
            self.at += 1


def _plain(piece: str) -> str:
    if piece.startswith("'"):
        return piece[1:-1]
    if piece.startswith('"'):
        return _ESCAPE.sub(_unescape, piece[1:-1])
    return piece


def _unescape(match: re.Match[str]) -> str:
    digits = match[1] or match[2]
    return chr(int(digits, 16)) if digits else _NAMED[match[3]]
