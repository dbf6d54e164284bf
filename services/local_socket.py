"""Questions between processes of this machine: one JSON object a line over a Unix socket.

Who may ask is a matter of the socket file's rights. A question is short, its answer is quick, and
each connection asks one.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.logs import without_message

log = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024
ANSWER_S = 5.0
RETRY_S = 0.5
Answer = Callable[[dict[str, Any]], dict[str, Any]]


class SocketError(Exception):
    """Nobody answers, or not as was agreed; names the socket."""


class SocketServer:
    """Answers questions at ``path``, one after the other, on a thread of its own."""

    def __init__(self, path: Path, answer: Answer, mode: int = 0o660) -> None:
        """
        Args:
            answer: quick; a ``ValueError`` becomes ``{"error": …}``, of anything else it raises
                only the kind is told.
            mode: rights of the socket file: who may write may ask.

        Raises:
            SocketError: the socket cannot be made.
        """
        self._path, self._answer = path, answer
        self._stopping = threading.Event()
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            draft.unlink(missing_ok=True)
            self._socket.bind(str(draft))
            draft.chmod(mode)
            self._socket.listen(8)
            self._file = _identity(draft)
            draft.replace(path)  # with its rights from the first moment on
        except OSError as error:
            self._socket.close()
            raise SocketError(f"{path}: {error.strerror or type(error).__name__}") from error
        self._thread = threading.Thread(target=self._run, name=path.name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer no more; the file goes, unless somebody else has taken its place."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes ``accept``
        self._thread.join(ANSWER_S)
        self._socket.close()
        with contextlib.suppress(OSError):
            if _identity(self._path) == self._file:
                self._path.unlink()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                one, _ = self._socket.accept()
            except OSError as error:
                if not self._stopping.wait(RETRY_S):  # no descriptor left may pass
                    log.error("nobody can ask", extra={"path": self._path, "reason": str(error)})
                continue
            with one:
                self._serve(one)

    def _serve(self, one: socket.socket) -> None:
        one.settimeout(ANSWER_S)
        try:
            one.sendall(self._answered(_line(one)) + b"\n")
        except (OSError, SocketError) as error:
            log.debug("a question was not answered", extra={"reason": type(error).__name__})

    def _answered(self, line: bytes) -> bytes:
        try:
            question = json.loads(line)
            if not isinstance(question, dict):
                raise ValueError("not an object")
            return _written(self._answer(question))
        except (ValueError, RecursionError) as error:
            return _written({"error": str(error)[:200]})
        except Exception as error:  # a full disk must not leave the socket unanswered for good
            kind = type(error).__name__
            log.error("no answer", extra={"path": self._path, "error": kind})
            log.debug("trace of the fault", exc_info=without_message(error))
            return _written({"error": kind})


def ask(path: Path, question: dict[str, Any], timeout_s: float = ANSWER_S) -> dict[str, Any]:
    """The answer to a question.

    Raises:
        SocketError: nobody listens there, the answer is late or none, or it is a refusal.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as one:
        one.settimeout(timeout_s)
        try:
            one.connect(str(path))
            one.sendall(_written(question) + b"\n")
            answer = json.loads(_line(one))
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise SocketError(f"{path}: {why}") from error
    if not isinstance(answer, dict):
        raise SocketError(f"{path}: not an answer")
    if "error" in answer:
        raise SocketError(f"{path}: {str(answer['error'])[:200]}")
    return answer


def _written(found: dict[str, Any]) -> bytes:
    return json.dumps(found, separators=(",", ":")).encode()


def _identity(path: Path) -> tuple[int, int]:
    """Which file it is, whatever it is called."""
    found = path.lstat()
    return found.st_dev, found.st_ino


def _line(one: socket.socket) -> bytes:
    """Raises SocketError where none comes or it is too long."""
    data = b""
    while b"\n" not in data:
        piece = one.recv(4096)
        data += piece
        if not piece or len(data) > MAX_BYTES:
            raise SocketError("no whole line")
    return data.partition(b"\n")[0]
