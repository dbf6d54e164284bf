"""``linnet run`` as systemd runs it: a process, a notify socket, a log."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from device.sound.files import write_wav
from device.sound.frames import SAMPLE_RATE
from services.bundles import chosen_bundle
from services.demo.script import shipped
from services.settings import Settings
from tests.support.terminal import ROOT

FAMILY = "linnet_mini" if (chosen_bundle(Settings()) / "manifest.json").exists() else "cascade"
"""Who answers in tests: the built-in model where its bundle is, else the one that needs none."""
READY_S = 60.0  # loading a model on a machine that is busy with other things


class RunningDaemon:
    """Started at once; ``close`` it."""

    def __init__(self, folder: Path, *args: object) -> None:
        self.told: list[str] = []
        self._log = folder / "daemon.log"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.cli", "run", *map(str, args)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env=dict(
                    os.environ,
                    PYTHONPATH=os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
                    NOTIFY_SOCKET=str(folder / "notify"),
                    WATCHDOG_USEC="1000000",
                    LINNET_CONFIG="",
                ),
            )

    def wait_for(self, line: str, seconds: float = READY_S) -> None:
        """Until the daemon has told its service manager the line; AssertionError if it does not."""
        deadline = time.monotonic() + seconds
        while line not in self.told:
            left = deadline - time.monotonic()
            assert left > 0, f"no {line} within {seconds:g} s; log:\n{self.log}"
            self._socket.settimeout(min(left, 0.2))
            try:
                self.told += self._socket.recv(4_096).decode().split("\n")
            except TimeoutError:
                assert self.process.poll() is None, f"it ended:\n{self.log}"

    def drain(self) -> None:
        """Read what was told, so that the socket never fills."""
        self._socket.settimeout(0.001)
        try:
            while True:
                self.told += self._socket.recv(4_096).decode().split("\n")
        except TimeoutError:
            return

    def terminate(self) -> float:
        """Ask it to stop; the seconds that took."""
        asked = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)
        return time.monotonic() - asked

    @property
    def log(self) -> str:
        return self._log.read_text()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._socket.close()


def spoken(path: Path, *pieces: str | float) -> Path:
    """A WAV file of the demo's recordings (by name) and silences (seconds), one after the other."""
    known = {recording.name: recording.pcm for recording in shipped().recordings}
    sound = [
        known[p] if isinstance(p, str) else np.zeros(round(p * SAMPLE_RATE), np.float32)
        for p in pieces
    ]
    write_wav(path, np.concatenate(sound))
    return path
