"""A way to a server that breaks: after so many bytes of an answer, the connection is reset."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterable

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: close with a reset, as a dead link looks


class CutProxy:
    """Forwards connections to a port of this machine.

    Args:
        cuts: bytes from the server after which a connection is cut; each is spent on the first
            connection that gets so far, in turn. Further ones pass whole.

    Use it as a context.
    """

    def __init__(self, port: int, cuts: Iterable[int]) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._to = port
        self._cuts = list(cuts)
        self._lock = threading.Lock()
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

    @property
    def cuts_left(self) -> int:
        return len(self._cuts)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            with socket.create_connection(("127.0.0.1", self._to)) as server:
                asking = threading.Thread(target=_pump, args=(client, server), daemon=True)
                asking.start()
                self._answer(server, client)
            asking.join(5)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        passed = 0
        while data := server.recv(65536):
            piece, cut = self._until_cut(passed, data)
            client.sendall(piece)
            passed += len(piece)
            if cut:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                break
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RD)  # wakes who waits for its next question

    def _until_cut(self, passed: int, data: bytes) -> tuple[bytes, bool]:
        with self._lock:
            if not self._cuts or passed + len(data) < self._cuts[0]:
                return data, False
            return data[: max(0, self._cuts.pop(0) - passed)], True


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
