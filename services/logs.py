"""The log: one line an entry, for people or for collectors, fields kept either way."""

from __future__ import annotations

import json
import logging
import sys
import time
from types import TracebackType
from typing import TextIO

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(level: str, style: str, stream: TextIO | None = None) -> None:
    """Send the log of this process to ``stream`` (standard error).

    Args:
        level: debug, info, warning or error.
        style: ``text`` or ``json``.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if style == "json" else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def fields(record: logging.LogRecord) -> dict[str, object]:
    """What was given as ``extra``."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def without_message(
    error: BaseException,
) -> tuple[type[BaseException], BaseException, TracebackType | None]:
    """Exception info whose text is gone: it may quote what was said or sent."""
    blank = RuntimeError(f"{type(error).__name__} (text withheld)")
    return type(blank), blank, error.__traceback__


class TextLines(logging.Formatter):
    """``level name: message key=value …``; the journal adds the time."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        more = "".join(f" {key}={value}" for key, value in fields(record).items())
        head, *trace = super().format(record).split("\n")
        return "\n".join([head + more, *trace])


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry: dict[str, object] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "name": record.name,
            "message": record.getMessage(),
            **fields(record),
        }
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)
