"""A real nginx on a free loopback port, serving a directory in good and bad ways."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from services.home.embedded_broker import free_port

PROGRAM = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

_CONFIG = """
{user}daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
  log_format asked '$request_uri|$status|$http_range|$http_authorization$http_cookie';
  access_log {folder}/access.log asked;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root {root};
    {locations}
  }}
}}
"""


class Nginx:
    """Serves ``root``; ``locations`` are nginx's own words for what is to go wrong where.

    Use it as a context.
    """

    def __init__(self, folder: Path, root: Path, locations: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "nginx.conf").write_text(
            _CONFIG.format(
                # Workers of root become nobody, who may not read another's temporary files.
                user="user root;\n" if os.geteuid() == 0 else "",
                folder=folder,
                root=root,
                port=self.port,
                locations=locations,
            )
        )

    def __enter__(self) -> Nginx:
        assert PROGRAM is not None, "nginx is not installed"
        self._process = subprocess.Popen(
            [
                PROGRAM,
                "-p",
                str(self._folder),
                "-c",
                str(self._folder / "nginx.conf"),
                "-e",
                str(self._folder / "error.log"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), timeout=1),
            ):
                return self
            assert self._process.poll() is None, (self._folder / "error.log").read_text()
            time.sleep(0.01)
        raise AssertionError("nginx does not listen")

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def asked(self) -> list[list[str]]:
        """Requests so far: address, status, Range, credentials."""
        lines = (self._folder / "access.log").read_text().splitlines()
        return [line.split("|") for line in lines]
