"""Typing for a day keeps nothing: what lives after a line has been answered is what lived before.

Resident memory does grow by a few megabytes over the first hundreds of lines: the C library keeps
what was freed for the next line (``malloc_trim`` gives it all back). Objects tell the truth.
"""

from __future__ import annotations

import contextlib
import gc
from pathlib import Path

from services.home.executor import Home
from services.home.simulated import Received, SimulatedHome
from services.language.fast_path import FastPath
from services.typed import TypedLines
from tests.services.home.conftest import PATIENT_S, until_all_known
from tests.support.mosquitto import mosquitto

LINES = (
    "turn on the standing light", "turn off the standing light", "set the bed light to 40 percent",
    "turn on the kitchen lights", "turn on the disco ball", "what time is it", "hello there",
    "set a timer for 5 minutes", "cancel all timers", "is the front door locked",
    "set the volume to 30 percent", "undo that",
)  # fmt: skip
ROUNDS = 5


def test_a_line_leaves_nothing_behind(tmp_path: Path) -> None:
    with contextlib.ExitStack() as parts:
        broker = parts.enter_context(mosquitto(tmp_path))
        simulated = parts.enter_context(SimulatedHome(broker.address))
        home = parts.enter_context(Home(broker.address, timeout_s=PATIENT_S))
        home.wait_connected(20)
        until_all_known(home, simulated)
        lines = TypedLines(FastPath())
        _type(home, lines)  # fills every cache that is bounded
        before = _objects()
        for _ in range(ROUNDS):
            _type(home, lines)
        kept = _objects() - before
    assert kept < ROUNDS * len(LINES), f"{kept} objects more after {ROUNDS * len(LINES)} lines"


def _type(home: Home, lines: TypedLines) -> None:
    for text in LINES:
        read = lines.read(text, home.view(), home.entities())
        if read.error is None:
            home.execute(read.call, resolved=read.resolution)


def _objects() -> int:
    """All that live, but for the simulated home's own memory of what it was sent.

    By ``type``: asking for ``__class__`` wakes warnings of deprecated objects elsewhere.
    """
    gc.collect()
    return sum(type(one) is not Received for one in gc.get_objects())
