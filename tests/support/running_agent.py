"""``linnet ota run`` as a process that can be killed and started again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.local_socket import SocketError, ask
from tests.support.terminal import ROOT, linnet

PATIENCE_S = 240.0


class RunningAgent:
    """``start`` it; ``kill`` it as a power cut would; ``close`` it in the end."""

    def __init__(self, folder: Path, config: Path, path: Path) -> None:
        """Args: path: where it answers ``linnet ota``."""
        self._folder, self._config, self._path = folder, config, path
        self._log = folder / "agent.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services.cli", "ota", "run", "--config", self._config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=dict(os.environ, PYTHONPATH=str(ROOT), LINNET_CONFIG=""),
            )
        self.until(lambda status: bool(status["running"]))

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def status(self) -> dict[str, Any]:
        """As ``linnet ota status``, without a process for each question."""
        try:
            return ask(self._path, {"do": "status"})
        except SocketError:
            return {"running": False}

    def command(self, *words: str) -> dict[str, Any]:
        """``linnet ota …`` with ``--json``."""
        done = linnet("ota", *words, "--json", "--config", self._config, cwd=self._folder)
        assert done.returncode == 0, done.stderr + self.log
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def until(
        self, true: Callable[[dict[str, Any]], bool], seconds: float = PATIENCE_S
    ) -> dict[str, Any]:
        """The status as soon as something is so; AssertionError if it does not come."""
        deadline = time.monotonic() + seconds
        while True:
            assert self._process is not None
            assert self._process.poll() is None, f"it ended:\n{self.log}"
            status = self.status()
            if true(status):
                return status
            assert time.monotonic() < deadline, f"{status}\n{self.log}"
            time.sleep(0.2)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
