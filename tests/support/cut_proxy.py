"""A way to a server that breaks: after so many bytes of an answer, the connection is reset."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterable

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: close with a reset, as a dead link looks


class CutProxy:
    """Forwards connections to a port of this machine, one after the other.

    Args:
        cuts: bytes after which each connection is cut, in turn; further ones pass whole.

    Use it as a context.
    """

    def __init__(self, port: int, cuts: Iterable[int]) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._to = port
        self._cuts = iter(cuts)
        self.connections = 0
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> CutProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            with client, contextlib.suppress(OSError):
                self._forward(client, next(self._cuts, None))

    def _forward(self, client: socket.socket, left: int | None) -> None:
        with socket.create_connection(("127.0.0.1", self._to)) as server:
            server.sendall(client.recv(65536))
            while data := server.recv(65536 if left is None else min(65536, left)):
                client.sendall(data)
                left = None if left is None else left - len(data)
                if left == 0:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    return
