"""A mosquitto of our own for measuring, where one is installed: it is what a real home runs."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from services.home.broker import BrokerAddress, BrokerUnreachable
from services.home.embedded_broker import free_port

_START_S = 10.0
_LOOK_S = 0.02


def installed() -> str | None:
    """The program, also where only an administrator's search path has it."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def mosquitto(program: str) -> Iterator[BrokerAddress]:
    """A broker on a free loopback port, which keeps nothing.

    Raises:
        BrokerUnreachable: it does not come up.
    """
    port = free_port()
    lines = (
        f"listener {port} 127.0.0.1", "allow_anonymous true", "persistence false",
        # A home of a thousand devices leaves more than the usual thousand messages with it.
        "max_queued_messages 0", "set_tcp_nodelay true",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "mosquitto.conf"
        config.write_text("\n".join(lines) + "\n", "utf-8")
        config.chmod(0o644)
        Path(folder).chmod(0o755)  # started as root, it reads as somebody else
        process = subprocess.Popen(
            [program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _await(process, port)
            yield BrokerAddress("127.0.0.1", port)
        finally:
            process.terminate()
            process.wait()


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(_LOOK_S)
    raise BrokerUnreachable("mosquitto does not come up")
