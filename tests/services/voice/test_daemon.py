"""The daemon as systemd sees it: a real process, real signals, a real notify socket."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services import sdnotify

ROOT = Path(__file__).parents[3]


class Running:
    """The daemon, and what it tells its service manager."""

    def __init__(self, folder: Path) -> None:
        self.settings = folder / "settings"
        self.settings.write_text("1")
        self._log = folder / "log"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        self.told: list[str] = []
        env = dict(os.environ, NOTIFY_SOCKET=str(folder / "notify"), WATCHDOG_USEC="400000")
        env.pop("WATCHDOG_PID", None)
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.scripted_daemon", str(self.settings)],
                cwd=ROOT,
                env=env,
                stderr=log,
            )

    def wait_for(self, line: str, seconds: float = 30.0) -> None:
        """Until the daemon has said the line."""
        deadline = time.monotonic() + seconds
        while line not in self.told:
            self._socket.settimeout(max(0.01, deadline - time.monotonic()))
            self.told += self._socket.recv(4_096).decode().split("\n")

    def forget(self) -> None:
        self.told.clear()

    @property
    def log(self) -> str:
        return self._log.read_text()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._socket.close()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    running.close()


def test_it_says_ready_shows_life_and_stops_in_time(daemon: Running) -> None:
    daemon.wait_for("READY=1")
    daemon.forget()
    for _ in range(3):
        daemon.wait_for("WATCHDOG=1", seconds=2)
        daemon.forget()
    daemon.wait_for("STATUS=idle")
    asked = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    daemon.wait_for("STOPPING=1")
    assert time.monotonic() - asked < 2.0
    assert daemon.process.wait(timeout=5) == 0  # TimeoutStopSec of the unit


def test_new_settings_are_taken_and_wrong_ones_refused(daemon: Running) -> None:
    daemon.wait_for("READY=1")
    daemon.settings.write_text("2")
    daemon.forget()
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for("RELOADING=1")
    daemon.wait_for("READY=1")
    assert "opened 2" in daemon.log
    daemon.settings.write_text("nonsense")
    daemon.forget()
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for("RELOADING=1")
    daemon.wait_for("READY=1")
    assert "refused" in daemon.log
    assert daemon.log.count("opened 2") == 2
    assert daemon.process.poll() is None


def test_a_microphone_that_is_gone_is_waited_for(daemon: Running) -> None:
    daemon.wait_for("READY=1")
    daemon.settings.write_text("404")
    daemon.forget()
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for("STATUS=waiting: microphone: there is none; plug one in")
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(timeout=5) == 0


def test_at_the_start_a_fault_is_not_survived(tmp_path: Path) -> None:
    (tmp_path / "settings").write_text("404")
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.scripted_daemon", str(tmp_path / "settings")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert "microphone: there is none; plug one in" in done.stderr


def notified(name: str, address: str, message: tuple[str, ...]) -> tuple[bool, str]:
    program = f"from services import sdnotify; print(sdnotify.notify(*{message!r}))"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(address)
        sock.settimeout(5)
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=dict(os.environ, NOTIFY_SOCKET=name),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout.strip() == "True", sock.recv(4_096).decode()


def test_notify_reaches_a_path_and_an_abstract_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "n")
    expected = (True, "READY=1\nSTATUS=idle")
    assert notified(path, path, ("READY=1", "STATUS=idle")) == expected
    name = f"linnet-test-{os.getpid()}"
    assert notified("@" + name, "\0" + name, ("READY=1", "STATUS=idle")) == expected


def test_without_a_service_manager_nothing_happens() -> None:
    assert "NOTIFY_SOCKET" not in os.environ
    assert not sdnotify.notify("READY=1")
    assert sdnotify.watchdog_s() is None
