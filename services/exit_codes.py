"""What the ``linnet`` command's exit status means: the one list."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit statuses, stable between releases; scripts and systemd units rely on them."""

    OK = 0
    UNEXPECTED = 1
    """A fault in Linnet itself; the trace is printed."""
    USAGE = 2
    """An option or argument that does not exist or does not fit."""
    SETTINGS = 3
    """The settings file is missing, malformed or has an unknown key."""
    AUDIO = 4
    """A recording that cannot be used, or no microphone or speaker."""
    BUNDLE = 5
    """The model bundle is missing, damaged or does not fit this machine."""
    BROKER = 6
    """The MQTT broker cannot be reached or refuses."""
    CHECK_FAILED = 7
    """The command ran, and what it checked does not hold (doctor, demo, a bar of eval or bench)."""
    MISSING_PACKAGE = 8
    """An optional Python package, or a speech synthesiser, is not installed."""
    UPDATE = 9
    """An update was refused, or the fleet's repository cannot be changed like that."""
    INTERRUPTED = 130
    """Stopped from the keyboard."""
