"""Requests that would never end: their time is up, and the connection is gone."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import urllib3

from ota.deadline import answered, cuttable
from ota.errors import Reason, TransferError
from ota.transfer import Cancel

Mouth = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def drips(peer: socket.socket) -> None:
    """A head of one byte after the other, each of them in time."""
    peer.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    with contextlib.suppress(OSError):
        while True:
            peer.sendall(b"x")
            peer.settimeout(0.02)
            with contextlib.suppress(TimeoutError):
                if not peer.recv(1):
                    return


def listens(peer: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while peer.recv(4096):
            pass


@contextlib.contextmanager
def serving(say: Mouth) -> Iterator[tuple[str, threading.Event]]:
    """Host and port of a server for one connection, and whether that has ended."""
    gone = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                peer, _ = listening.accept()
                with peer:
                    peer.settimeout(30)
                    say(peer)
                    gone.set()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}", gone
        thread.join(30)


def asks(pools: urllib3.PoolManager, url: str) -> Callable[[], bytes]:
    return lambda: pools.request("GET", url, retries=False, timeout=60).data


@pytest.mark.parametrize(
    ("scheme", "say"),
    [("http", drips), ("http", listens), ("https", listens)],
    ids=["a head that drips", "no head", "no handshake"],
)
def test_a_request_whose_time_is_up_ends_on_both_sides(scheme: str, say: Mouth) -> None:
    pools = cuttable(urllib3.PoolManager())
    with serving(say) as (host, gone):
        with pytest.raises(TimeoutError):
            answered(asks(pools, f"{scheme}://{host}/"), 0.3)
        assert gone.wait(20), "the connection stays"


def test_a_connection_that_is_used_again_is_cut_too() -> None:
    def once(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(OK)
        peer.recv(4096)
        drips(peer)

    pools = cuttable(urllib3.PoolManager())
    with serving(once) as (host, gone):
        assert answered(asks(pools, f"http://{host}/"), 30) == b"ok"
        with pytest.raises(TimeoutError):
            answered(asks(pools, f"http://{host}/"), 0.3)
        assert gone.wait(20), "the connection stays"


def test_a_cancelled_request_ends_on_both_sides() -> None:
    cancel, pools = Cancel(), cuttable(urllib3.PoolManager())

    def cancels(peer: socket.socket) -> None:
        cancel.cancel()
        listens(peer)

    with serving(cancels) as (host, gone):
        with pytest.raises(TransferError) as caught:
            answered(asks(pools, f"http://{host}/"), 30, interrupting=cancel.interrupting)
        assert gone.wait(20), "the connection stays"
    assert caught.value.reason is Reason.CANCELLED


def test_what_fails_fails_as_it_would_without_a_deadline() -> None:
    def fails() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        answered(fails, 30)


def test_an_answer_that_comes_too_late_is_closed() -> None:
    may_come, closed = threading.Event(), threading.Event()

    def comes_late() -> str:
        may_come.wait(30)
        return "late"

    with pytest.raises(TimeoutError):
        answered(comes_late, 0.05, late=lambda answer: closed.set())
    may_come.set()
    assert closed.wait(30)
