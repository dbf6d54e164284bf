"""Deadlines over a whole request: look-up, connection, TLS, head, and each piece of a body.

A time-out between two bytes ends neither a look-up that hangs nor a head that drips: ``answered``
gives all of it so many seconds, and cuts the connection when they are over. A body may drip where
no byte of it comes out, in the lengths of its chunks or after the last of them: ``watched``.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, InvalidStateError
from concurrent.futures import TimeoutError as NotYet
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, TypeVar

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from ota.errors import Reason, TransferError

T = TypeVar("T")
M = TypeVar("M", bound=urllib3.PoolManager)
S = TypeVar("S", bound="socket.socket | None")
Interrupting = Callable[[Callable[[], None]], AbstractContextManager[None]]


def answered(
    asking: Callable[[], T],
    seconds: float,
    *,
    interrupting: Interrupting = lambda interrupt: nullcontext(),
    late: Callable[[T], object] = lambda answer: None,
) -> T:
    """What ``asking`` returns, waited for in a thread of its own for at most ``seconds``.

    When they are over, or it is interrupted, the connections that it made over ``cuttable`` pools
    are cut, so that the thread ends too.

    Args:
        interrupting: a context inside which its argument may be called, from any thread.
        late: closes an answer that still comes after it was given up.

    Raises:
        TimeoutError: no answer in time.
        TransferError: interrupted.
        Exception: what ``asking`` raises.
    """
    promise: Future[T] = Future()
    line = _Line()

    def ask() -> None:
        _thread.line = line
        try:
            _keep(promise, asking(), late)
        except Exception as error:  # noqa: BLE001  raised where it is waited for
            with suppress(InvalidStateError):  # given up meanwhile
                promise.set_exception(error)
        finally:
            line.close()

    def give_up() -> None:
        promise.cancel()
        line.cut()

    with interrupting(give_up):
        threading.Thread(target=ask, name="linnet-request", daemon=True).start()
        try:
            return promise.result(seconds)
        except CancelledError:
            raise TransferError(Reason.CANCELLED, "cancelled") from None
        except NotYet:
            if not promise.cancel():
                return promise.result()  # it came at the last moment, or this is its own error
            line.cut()
            raise TimeoutError("no answer in time") from None


def _keep(promise: Future[T], answer: T, late: Callable[[T], object]) -> None:
    try:
        promise.set_result(answer)
    except InvalidStateError:
        late(answer)


@contextmanager
def watched(
    response: urllib3.BaseHTTPResponse, seconds: float
) -> Iterator[Callable[[Callable[[], bytes]], bytes]]:
    """What is given reads a piece of the body, in at most about ``seconds``.

    It raises TimeoutError where no piece came; the connection is cut then.
    """
    over, cut = threading.Event(), threading.Event()
    begun: float | None = None

    def watch() -> None:
        while not over.wait(seconds / 4):
            since = begun
            if since is not None and time.monotonic() - since > seconds:
                cut.set()
                shut(response)
                return

    def reading(read: Callable[[], bytes]) -> bytes:
        nonlocal begun
        begun = time.monotonic()
        try:
            piece = read()
        finally:
            begun = None
            if cut.is_set():  # whatever came of it is no end of a body
                raise TimeoutError("no piece in time")
        return piece

    threading.Thread(target=watch, name="linnet-watch", daemon=True).start()
    try:
        yield reading
    finally:
        over.set()


def shut(response: urllib3.BaseHTTPResponse | None) -> None:
    """Wake whoever reads an answer, from another thread."""
    if isinstance(response, urllib3.HTTPResponse):
        with suppress(RuntimeError, ValueError, OSError):  # read to its end meanwhile
            response.shutdown()


def cuttable(manager: M) -> M:
    """The same manager, over whose connections ``answered`` can be cut short."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager


class _Line:
    """The sockets that one request uses, by handles of our own: TLS takes the first ones away."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: list[socket.socket] = []
        self._is_cut = False

    def runs_over(self, descriptor: int) -> None:
        with self._lock:
            self._ends.append(socket.socket(fileno=os.dup(descriptor)))
            if self._is_cut:
                _shut(self._ends[-1])

    def cut(self) -> None:
        """Whoever reads or writes there is woken."""
        with self._lock:
            self._is_cut = True
            for end in self._ends:
                _shut(end)

    def close(self) -> None:
        with self._lock:
            for end in self._ends:
                end.close()
            self._ends.clear()


def _shut(end: socket.socket) -> None:
    with suppress(OSError):  # the other side was quicker
        end.shutdown(socket.SHUT_RDWR)


class _Thread(threading.local):
    line: _Line | None = None


_thread = _Thread()


def _told(end: S) -> S:
    """The same socket, now known to whoever waits for this thread's request."""
    if _thread.line is not None and end is not None:
        _thread.line.runs_over(end.fileno())
    return end


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _told(super()._new_conn())

    def request(self, *args: Any, **kwargs: Any) -> None:
        _told(self.sock)  # where it is open from a request before
        super().request(*args, **kwargs)


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
