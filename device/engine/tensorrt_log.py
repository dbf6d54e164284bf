"""What TensorRT says, kept: it raises nothing, it only logs."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TensorRT = Any
"""The ``tensorrt`` or ``tensorrt_rtx`` module; neither has type information."""

LOG_LINES = 20


def collecting_logger(trt: TensorRT) -> Any:
    """An ILogger with the last warnings and errors in ``lines`` and all errors in ``errors``."""

    class Collecting(trt.ILogger):  # type: ignore[misc]  # the base is known at run time alone
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.lines: list[str] = []
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.errors.append(message)
            if severity not in (trt.ILogger.Severity.INFO, trt.ILogger.Severity.VERBOSE):
                self.lines = [*self.lines[1 - LOG_LINES :], message]

    return Collecting()


@contextmanager
def no_collection() -> Iterator[None]:
    """Hold Python's garbage collection back while TensorRT works.

    It logs under a lock of its own. A collection that begins in the logger may free a builder of an
    earlier, refused build (its traceback is a cycle), and freeing one waits for that very lock.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def first_error(logger: Any, otherwise: str) -> str:
    """The first error that was logged, in one line."""
    return one_line(logger.errors[0]) if logger.errors else otherwise


def one_line(text: str) -> str:
    """``text`` without line breaks, of bounded length."""
    return " ".join(text.split())[:400]
