"""Requests to a control plane that means harm, over real sockets."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from ota.errors import Reason, TransferError
from ota.rollout.web import MAX_BODY_BYTES, HttpWeb

Mouth = Callable[[socket.socket], None]


@contextlib.contextmanager
def server(say: Mouth) -> Iterator[str]:
    """One connection, which is told what ``say`` says."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with contextlib.suppress(OSError):
                peer, _ = listening.accept()
                with peer:
                    peer.recv(65536)
                    say(peer)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/x?secret=1"
    thread.join(10)


def asked(say: Mouth, web: HttpWeb | None = None) -> TransferError:
    web = web or HttpWeb()
    with server(say) as url, pytest.raises(TransferError) as refused:
        web.request("GET", url, {})
    assert "secret" not in str(refused.value)
    return refused.value


def test_an_answer_without_end_is_cut_off() -> None:
    def say(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        sent = 0
        while sent <= 8 * MAX_BODY_BYTES:
            sent += peer.send(bytes(65536))
        pytest.fail("it read all of it")

    assert "endless" in str(asked(say))


def test_a_small_answer_that_unpacks_to_a_large_one_is_cut_off() -> None:
    import gzip

    bomb = gzip.compress(bytes(64 * MAX_BODY_BYTES))

    def say(peer: socket.socket) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
        peer.sendall(head.encode() + bomb)

    assert "endless" in str(asked(say))


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n"])
def test_an_answer_that_drips_is_cut_off(head: bytes) -> None:
    """Before its head and after it; each byte comes in time."""

    def say(peer: socket.socket) -> None:
        peer.sendall(head or b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Long: ")
        for _ in range(600):
            peer.sendall(b"x")
            time.sleep(0.02)
        peer.sendall(b"\r\n\r\n")

    assert "TimeoutError" in str(asked(say, HttpWeb(total_s=0.3)))


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(500)) + b"\r\n",
    ],
)
def test_what_is_no_answer_is_unreachable(reply: bytes) -> None:
    assert asked(lambda peer: peer.sendall(reply)).reason is Reason.UNREACHABLE


def test_a_redirect_is_an_answer_like_any_other() -> None:
    reply = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    web = HttpWeb()
    with server(lambda peer: peer.sendall(reply)) as url:
        assert web.request("GET", url, {}).status == 302


def test_nobody_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(TransferError, match="NewConnectionError"):
        HttpWeb().request("GET", f"http://127.0.0.1:{port}/", {})
