"""How far a long run has come, on standard error."""

from __future__ import annotations

import sys
from typing import TextIO

STEPS = 20  # lines where there is no terminal to overwrite one on


class Progress:
    """``tell(done, of)`` as often as one likes."""

    def __init__(self, title: str, stream: TextIO | None = None) -> None:
        self._title = title
        self._stream = sys.stderr if stream is None else stream
        self._last = -1

    def tell(self, done: int, of: int, note: str = "") -> None:
        terminal = self._stream.isatty()
        step = done if terminal else done * STEPS // max(of, 1)
        if step == self._last and done < of:
            return
        self._last = step
        text = f"{self._title}: {done}/{of}{' ' + note if note else ''}"
        end = "\n" if done >= of or not terminal else ""
        self._stream.write(f"\r{text}\x1b[K{end}" if terminal else f"{text}\n")
        self._stream.flush()
