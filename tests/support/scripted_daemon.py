"""Run as a program: the daemon around a scripted model, with silence for a microphone.

``python -m tests.support.scripted_daemon SETTINGS``: the settings file's only line is a number,
which appears in the log each time a box is opened; anything else is refused.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import numpy as np

from device.errors import AudioError
from device.sound.clock import MonotonicClock
from device.sound.files import FileSource, RecordingSink
from services import logs
from services.settings_file import Problem, SettingsError
from services.voice.daemon import Box, Daemon
from services.voice.loop import VoiceLoop
from tests.support.scripted_model import LoudActivity, MarkedWake, QuietHome, ScriptedModel

log = logging.getLogger("scripted")


def load(path: Path) -> int:
    text = path.read_text(encoding="utf-8").strip()
    if not text.isdecimal():
        raise SettingsError([Problem(str(path), 1, "number", text, "is not a number")])
    return int(text)


def open_box(number: int) -> Box:
    if number == 404:
        raise AudioError("microphone", "there is none", "plug one in")
    log.info("opened %d", number)
    clock = MonotonicClock()
    loop = VoiceLoop(ScriptedModel(), QuietHome(), MarkedWake(), LoudActivity(), clock=clock)
    source = FileSource(np.zeros(160, np.float32), clock, lambda: True)
    return Box(loop, source, RecordingSink())


if __name__ == "__main__":
    logs.configure("info", "text")
    settings = Path(sys.argv[1])
    sys.exit(Daemon(lambda: load(settings), open_box).serve())
