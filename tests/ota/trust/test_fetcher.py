"""The fetcher against a real server that is slow, endless, elsewhere or gone."""

from __future__ import annotations

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    SlowRetrievalError,
)

from ota.trust.fetcher import BoundedFetcher, Limits
from tests.support.http_server import Answer, serving


def says(body: bytes, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def redirects(where: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", where)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def drips_its_head(handler: BaseHTTPRequestHandler) -> None:
    """Every byte in time; the last one much later, so that a client that waits gets an answer."""
    for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 500 + b"\r\nContent-Length: 0\r\n\r\n":
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.02)


def drips_around_its_body(before: bytes, drop: bytes) -> Answer:
    """Chunks, and between them what is none of the body, in drops that all come in time."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + before)
        for _ in range(500):
            handler.wfile.write(drop)
            handler.wfile.flush()
            time.sleep(0.02)
        handler.wfile.write(b"\r\n\r\n")

    return answer


def puts_off(handler: BaseHTTPRequestHandler) -> None:
    """Not now, says the head; the body goes on far beyond what is worth reading."""
    handler.send_response(503)
    handler.send_header("Retry-After", "1")
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b"x" * 65536)


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 65536)


def breaks_off(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"x" * 100)
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def test_a_file_is_fetched_whole_with_the_servers_date() -> None:
    fetcher = BoundedFetcher()
    with serving({"/a": says(b"hello" * 10_000)}) as address:
        assert fetcher.download_bytes(f"{address}/a", 50_000) == b"hello" * 10_000
    assert fetcher.date is not None
    assert fetcher.date.tzinfo is not None


def test_one_byte_too_many_is_too_many() -> None:
    with (
        serving({"/a": says(b"hello"), "/endless": endless}) as address,
        pytest.raises(DownloadLengthMismatchError),
    ):
        BoundedFetcher().download_bytes(f"{address}/a", 4)
    with (
        serving({"/endless": endless}) as address,
        pytest.raises(DownloadLengthMismatchError),
    ):
        BoundedFetcher().download_bytes(f"{address}/endless", 10**6)


class Drip:
    """A server, and a client's clock that goes 5 s at each look: a drop is sent when the client
    has looked at it."""

    def __init__(self, drop: bytes) -> None:
        self._drop, self._looked = drop, threading.Semaphore(0)
        self.seconds = 0.0

    def clock(self) -> float:
        self._looked.release()
        self.seconds += 5
        return self.seconds - 5

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while self._looked.acquire(timeout=10):
            handler.wfile.write(self._drop)
            handler.wfile.flush()


def test_a_server_that_drips_is_given_up() -> None:
    """Each byte comes in time, all of them never would."""
    drip = Drip(b"x")
    with serving({"/a": drip.answer}) as address, pytest.raises(SlowRetrievalError):
        BoundedFetcher(clock=drip.clock).download_bytes(f"{address}/a", 10**6)
    assert drip.seconds < 100


def test_a_server_that_is_never_too_slow_has_an_end_too() -> None:
    drip = Drip(b"x" * 2**16)
    with serving({"/a": drip.answer}) as address, pytest.raises(SlowRetrievalError):
        BoundedFetcher(clock=drip.clock).download_bytes(f"{address}/a", 10**8)
    assert 90 < drip.seconds <= 100


def test_a_server_that_drips_its_head_is_given_up() -> None:
    fetcher = BoundedFetcher(Limits(grace_s=0.3))
    with serving({"/a": drips_its_head}) as address, pytest.raises(SlowRetrievalError):
        fetcher.download_bytes(f"{address}/a", 10)


@pytest.mark.parametrize(
    ("before", "drop"), [(b"", b"0"), (b"2\r\nok\r\n0\r\n", b"X: y\r\n")], ids=["length", "trailer"]
)
def test_a_server_that_drips_around_its_body_is_given_up(before: bytes, drop: bytes) -> None:
    answer = drips_around_its_body(before, drop)
    with serving({"/a": answer}) as address, pytest.raises(SlowRetrievalError):
        BoundedFetcher(Limits(gap_s=0.3)).download_bytes(f"{address}/a", 10)


def test_a_server_that_puts_us_off_is_not_read_to_its_end() -> None:
    """Nor waited for: whoever asked asks again when it likes."""
    with serving({"/a": puts_off}) as address, pytest.raises(DownloadHTTPError) as caught:
        BoundedFetcher().download_bytes(f"{address}/a", 10)
    assert caught.value.status_code == 503


@given(seconds=st.floats(0, 1e6), received=st.integers(0, 10**9))
def test_the_least_rate_is_asked_for_after_the_grace(seconds: float, received: int) -> None:
    limits = Limits()
    if seconds <= limits.grace_s:
        assert not limits.too_slow(seconds, received)
    if received >= seconds * limits.least_bytes_per_s and seconds <= limits.whole_s:
        assert not limits.too_slow(seconds, received)
    assert limits.too_slow(limits.grace_s + seconds + 1, 0)
    assert limits.too_slow(limits.whole_s + seconds + 1, received)


def test_a_server_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a"
        with pytest.raises(SlowRetrievalError):
            BoundedFetcher(Limits(gap_s=0.2)).download_bytes(address, 10)


def test_a_connection_that_breaks_and_one_that_never_was_are_download_errors() -> None:
    with serving({"/a": breaks_off}) as address, pytest.raises(DownloadError):
        BoundedFetcher().download_bytes(f"{address}/a", 1000)
    with pytest.raises(DownloadError):
        BoundedFetcher().download_bytes(f"{address}/a", 1000)  # the server has gone


def test_a_status_is_told() -> None:
    with serving({}) as address, pytest.raises(DownloadHTTPError) as caught:
        BoundedFetcher().download_bytes(f"{address}/a", 1000)
    assert caught.value.status_code == 404


@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://127.0.0.1/a", "http://[", "/loop"])
def test_a_redirect_to_elsewhere_or_nowhere_is_not_followed(where: str) -> None:
    with (
        serving({"/a": redirects(where), "/loop": redirects("/loop")}) as address,
        pytest.raises(DownloadError),
    ):
        BoundedFetcher().download_bytes(f"{address}/a", 10**6)


def test_a_redirect_on_the_same_server_is_followed() -> None:
    with serving({"/a": redirects("/b"), "/b": says(b"moved")}) as address:
        assert BoundedFetcher().download_bytes(f"{address}/a", 10) == b"moved"


def test_packed_bodies_are_not_unpacked() -> None:
    """What is hashed is what came; a bomb stays as small as it is."""
    with serving({"/a": says(b"\x1f\x8b not gzip", **{"Content-Encoding": "gzip"})}) as address:
        assert BoundedFetcher().download_bytes(f"{address}/a", 100) == b"\x1f\x8b not gzip"
