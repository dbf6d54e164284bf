"""Log lines keep their fields, for people and for collectors."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from services import logs


@pytest.fixture(autouse=True)
def root_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_json_lines_hold_fields_and_traces() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    log = logging.getLogger("linnet.test")
    log.debug("not this")
    log.info("turn %d", 3, extra={"ms": 12.5, "event": "wake"})
    try:
        raise ValueError("bad")
    except ValueError:
        log.exception("broken")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["message"], first["ms"], first["event"]) == ("turn 3", 12.5, "wake")
    assert first["level"] == "info"
    assert "ValueError: bad" in second["trace"]


def test_text_lines_put_fields_behind_the_message() -> None:
    stream = io.StringIO()
    logs.configure("info", "text", stream)
    logging.getLogger("linnet.test").warning("slow", extra={"frames": 3})
    assert stream.getvalue() == "WARNING linnet.test: slow frames=3\n"
