"""A real mosquitto on a free loopback port, that can be killed and come back."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from services.bench.mosquitto import installed
from services.home.broker import BrokerAddress
from services.home.embedded_broker import free_port
from tests.support.certificates import ServerCertificate

PROGRAM = installed()


class Mosquitto:
    """One broker process; nothing it knew survives a kill."""

    def __init__(
        self,
        folder: Path,
        users: dict[str, str] | None = None,
        certificate: ServerCertificate | None = None,
        rights: str | None = None,
    ) -> None:
        """
        Args:
            users: passwords by name; None lets everybody in.
            certificate: speaks TLS with it.
            rights: who may read and write what, as an access control file says it.
        """
        self.address = BrokerAddress(port=free_port())
        self._config = folder / "mosquitto.conf"
        self._process: subprocess.Popen[bytes] | None = None
        lines = [f"listener {self.address.port} 127.0.0.1", "persistence false", "user root"]
        if users is None:
            lines.append("allow_anonymous true")
        else:
            lines += ["allow_anonymous false", f"password_file {_passwords(folder, users)}"]
        if certificate is not None:
            lines += [f"certfile {certificate.certificate}", f"keyfile {certificate.key}"]
        if rights is not None:
            (folder / "rights").write_text(rights)
            (folder / "rights").chmod(0o600)
            lines.append(f"acl_file {folder / 'rights'}")
        self._config.write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        assert PROGRAM is not None, "mosquitto is not installed"
        self._process = subprocess.Popen(
            [PROGRAM, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with (
                contextlib.suppress(OSError),
                socket.create_connection((self.address.host, self.address.port), timeout=1),
            ):
                return
            assert self._process.poll() is None, "mosquitto ended at once"
            time.sleep(0.01)
        raise AssertionError("mosquitto does not listen")

    def freeze(self) -> None:
        """Let it answer nothing any more while its connections stay open."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """As a power cut: no farewell to anybody."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def mosquitto(
    folder: Path,
    users: dict[str, str] | None = None,
    certificate: ServerCertificate | None = None,
    rights: str | None = None,
) -> Iterator[Mosquitto]:
    """Running; arguments as of ``Mosquitto``."""
    broker = Mosquitto(folder, users, certificate, rights)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


def _passwords(folder: Path, users: dict[str, str]) -> Path:
    path = folder / "passwords"
    path.write_text("".join(f"{name}:{password}\n" for name, password in users.items()))
    path.chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-U", str(path)], check=True)
    return path
