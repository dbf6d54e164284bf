"""Downloads from a real nginx that is slow, cut, forgetful or lying."""

from __future__ import annotations

import hashlib
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from ota.errors import OtaError, Reason, TransferError
from ota.pools import Pools
from ota.release import Content
from ota.store import Store
from ota.transfer import Cancel, HttpSource, Pace
from ota.transfer_plan import Limits
from services.home.embedded_broker import free_port
from tests.support.certificates import authority, server
from tests.support.cut_proxy import CutProxy
from tests.support.http_server import serving
from tests.support.nginx import PROGRAM, Nginx

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed")

DATA = random.Random(5).randbytes(3_000_000)
PINNED = Content(file="x", bytes=len(DATA), sha256=hashlib.sha256(DATA).hexdigest())
QUICK = Limits(base_s=0.001, longest_s=0.002, failures=3)

LOCATIONS = """
location /slow/ { alias SITE/content/; limit_rate 20k; }
location /whole/ { alias SITE/content/; max_ranges 0; }
location /other/ { alias SITE/other/; }
location /longer/ { alias SITE/longer/; }
location /part/ { add_header Content-Range "bytes 0-99/3000000" always;
                  return 206 "not what was asked for"; }
location /down/ { add_header Retry-After 1 always; return 503; }
location /no/ { return 403; }
location /moved/ { rewrite ^/moved/(.*) /content/$1 redirect; }
location /loop/ { rewrite ^ $uri redirect; }
location /elsewhere/ { return 302 ftp://127.0.0.1/x; }
location /odd/ { return 302 "http://a..b:99999/x"; }
location /packed/ { alias SITE/content/; add_header Content-Encoding gzip; }
"""


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    site = tmp_path_factory.mktemp("site")
    contents = {"content": DATA, "other": DATA[:-1] + b"?", "longer": DATA + b"!"}
    for name, data in contents.items():
        (site / name).mkdir()
        (site / name / PINNED.sha256).write_bytes(data)
    locations = LOCATIONS.replace("SITE", str(site))
    with Nginx(tmp_path_factory.mktemp("nginx"), site, locations) as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def fetch(store: Store, *mirrors: str, limits: Limits = QUICK, spent: int = 0) -> HttpSource:
    source = HttpSource(mirrors, limits=limits, rng=random.Random(1), spent=spent)
    source.fetch(PINNED, store)
    assert store.path(PINNED.sha256).read_bytes() == DATA
    return source


def refusal(store: Store, *mirrors: str, limits: Limits = QUICK) -> Reason:
    with pytest.raises(OtaError) as caught:
        HttpSource(mirrors, limits=limits, rng=random.Random(1)).fetch(PINNED, store)
    assert not store.has(PINNED)
    return caught.value.reason


def test_a_content_arrives_and_is_not_asked_for_twice(nginx: Nginx, store: Store) -> None:
    fetch(store, f"{nginx.url}/content")
    before = len(nginx.asked())
    fetch(store, f"{nginx.url}/content")
    assert len(nginx.asked()) == before


def test_a_download_cut_again_and_again_goes_on_where_it_was_cut(
    nginx: Nginx, store: Store
) -> None:
    with CutProxy(nginx.port, [500_000, 1_000_000, 70_000, 900_000]) as proxy:
        source = fetch(store, f"{proxy.url}/content")
        assert proxy.connections == 5
    starts = [int(r[2].split("=")[1].rstrip("-")) for r in nginx.asked()[-4:]]
    assert starts == sorted(starts)
    assert starts[0] > 0  # a reset takes with it what had not been read
    assert source.spent == len(DATA)  # not one byte was fetched twice


def test_a_mirror_that_cuts_every_answer_does_not_keep_us_from_the_next(
    nginx: Nginx, store: Store
) -> None:
    """It answers as it should, each time, and never comes to an end."""
    with CutProxy(nginx.port, [2000] * 100) as proxy:
        source = fetch(store, f"{proxy.url}/content", f"{nginx.url}/content")
        assert proxy.connections == 1
    assert source.spent == len(DATA)


def test_a_part_of_an_earlier_run_is_used(nginx: Nginx, store: Store) -> None:
    store.append(PINNED.sha256, DATA[:2_000_000])
    assert fetch(store, f"{nginx.url}/content").spent == 1_000_000


def test_a_poisoned_part_is_found_out_and_fetched_anew(nginx: Nginx, store: Store) -> None:
    store.append(PINNED.sha256, b"?" * 2_000_000)
    assert fetch(store, f"{nginx.url}/content").spent == 1_000_000 + len(DATA)


def test_a_part_that_is_too_long_is_dropped(nginx: Nginx, store: Store) -> None:
    store.append(PINNED.sha256, DATA + b"!")
    fetch(store, f"{nginx.url}/content")


def test_a_server_without_ranges_sends_all_of_it_again(nginx: Nginx, store: Store) -> None:
    store.append(PINNED.sha256, DATA[:2_000_000])
    assert fetch(store, f"{nginx.url}/whole").spent == len(DATA)


def test_another_part_than_was_asked_for_is_not_taken(nginx: Nginx, store: Store) -> None:
    store.append(PINNED.sha256, DATA[:2_000_000])
    assert refusal(store, f"{nginx.url}/part") is Reason.WRONG_CONTENT
    fetch(store, f"{nginx.url}/part", f"{nginx.url}/content")


def test_wrong_bytes_are_refused_and_the_next_mirror_is_asked(nginx: Nginx, store: Store) -> None:
    assert refusal(store, f"{nginx.url}/other") is Reason.WRONG_CONTENT
    assert not list(store.root.glob(".part-*"))
    fetch(store, f"{nginx.url}/other", f"{nginx.url}/content")


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("longer", Reason.WRONG_CONTENT),
        ("packed", Reason.WRONG_CONTENT),
        ("no", Reason.REFUSED),
        ("nothing-here", Reason.REFUSED),
        ("loop", Reason.REFUSED),
        ("elsewhere", Reason.REFUSED),
        ("odd", Reason.UNREACHABLE),
        ("down", Reason.UNREACHABLE),
    ],
)
def test_a_mirror_that_will_not_do_is_given_up(
    nginx: Nginx, store: Store, place: str, reason: Reason
) -> None:
    limits = Limits(base_s=0.001, longest_s=0.001, failures=2, retry_after_s=0.01)
    assert refusal(store, f"{nginx.url}/{place}", limits=limits) is reason
    fetch(store, f"{nginx.url}/{place}", f"{nginx.url}/content", limits=limits)


def test_a_redirect_is_followed(nginx: Nginx, store: Store) -> None:
    fetch(store, f"{nginx.url}/moved")


def test_nobody_there_is_unreachable(store: Store) -> None:
    assert refusal(store, "http://127.0.0.1:1/content") is Reason.UNREACHABLE


def test_nothing_is_asked_for_that_the_budget_does_not_allow(nginx: Nginx, store: Store) -> None:
    before = len(nginx.asked())
    limits = Limits(budget=len(DATA) - 1)
    assert refusal(store, f"{nginx.url}/content", limits=limits) is Reason.BYTE_BUDGET
    assert len(nginx.asked()) == before


def test_a_server_that_sends_all_of_it_again_is_not_paid_for(nginx: Nginx, store: Store) -> None:
    """The rest would have been allowed; what is here stays for whoever sends just that."""
    store.append(PINNED.sha256, DATA[:2_000_000])
    limits = Limits(budget=1_500_000)
    assert refusal(store, f"{nginx.url}/whole", limits=limits) is Reason.BYTE_BUDGET
    assert store.gathered(PINNED.sha256) == 2_000_000
    assert fetch(store, f"{nginx.url}/content", limits=limits).spent == 1_000_000


def test_bytes_of_before_a_restart_count_against_the_budget(nginx: Nginx, store: Store) -> None:
    limits = Limits(budget=len(DATA) + 10)
    with pytest.raises(TransferError) as caught:
        fetch(store, f"{nginx.url}/content", limits=limits, spent=11)
    assert caught.value.reason is Reason.BYTE_BUDGET


def test_a_server_that_trickles_is_given_up(nginx: Nginx, store: Store) -> None:
    clock = iter(range(10**6))  # each look at the clock finds a second gone
    source = HttpSource(
        [f"{nginx.url}/content"],
        limits=Limits(base_s=0.001, longest_s=0.001, failures=3, progress=10**9),
        pace=Pace(least=10**6, window_s=3),
        clock=lambda: float(next(clock)),
    )
    with pytest.raises(TransferError) as caught:
        source.fetch(PINNED, store)
    assert caught.value.reason is Reason.TOO_SLOW
    assert store.gathered(PINNED.sha256) == source.spent > 0  # what came is kept


def test_a_rate_cap_makes_it_wait(nginx: Nginx, store: Store) -> None:
    waits: list[float] = []

    class Recorded(Cancel):
        def wait(self, seconds: float) -> None:
            waits.append(seconds)

    clock = iter(n * 1e-6 for n in range(10**6))
    source = HttpSource(
        [f"{nginx.url}/content"],
        pace=Pace(rate=100_000),
        cancel=Recorded(),
        clock=lambda: next(clock),
    )
    source.fetch(PINNED, store)
    assert sum(waits) > 0
    assert max(waits) == pytest.approx((len(DATA) - 100_000) / 100_000, rel=0.01)


@pytest.mark.parametrize("place", ["/slow", ""])
def test_cancelling_ends_a_download_that_hangs(nginx: Nginx, store: Store, place: str) -> None:
    """In the middle of an answer, and where a server accepts and then says nothing."""
    cancel = Cancel()
    with silent() as url:
        source = HttpSource([f"{nginx.url}{place}" if place else url], cancel=cancel)
        timer = threading.Timer(0.2, cancel.cancel)
        timer.start()
        began = time.monotonic()
        with pytest.raises(TransferError) as caught:
            source.fetch(PINNED, store)
        assert caught.value.reason is Reason.CANCELLED
        assert time.monotonic() - began < Pace().gap_s / 2  # not by running into a time-out
        timer.join()


def test_a_server_that_never_comes_to_its_answer_is_too_slow(store: Store) -> None:
    limits = Limits(base_s=0.001, longest_s=0.001, failures=2)
    with silent() as url, pytest.raises(TransferError) as caught:
        HttpSource([url], limits=limits, pace=Pace(answer_s=0.1)).fetch(PINNED, store)
    assert caught.value.reason is Reason.TOO_SLOW


def test_a_server_that_drips_where_no_byte_comes_of_it_is_too_slow(store: Store) -> None:
    """In the length of a chunk: each drop in time, and never a piece of the content."""

    def drips(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(500):
            handler.wfile.write(b"0")
            handler.wfile.flush()
            time.sleep(0.02)
        handler.wfile.write(b"\r\n\r\n")

    limits = Limits(base_s=0.001, longest_s=0.001, failures=2)
    with serving({f"/{PINNED.sha256}": drips}) as url, pytest.raises(TransferError) as caught:
        HttpSource([url], limits=limits, pace=Pace(gap_s=0.2)).fetch(PINNED, store)
    assert caught.value.reason is Reason.TOO_SLOW


@contextmanager
def silent() -> Iterator[str]:
    """A server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_mirror_that_cannot_show_who_it_is_gets_no_request(store: Store, tmp_path: Path) -> None:
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / PINNED.sha256).write_bytes(DATA)
    ours, port = authority(tmp_path, "ours"), free_port()
    shown = server(tmp_path, ours, "IP:127.0.0.1")
    tls = (
        f"listen 127.0.0.1:{port} ssl;"
        f"ssl_certificate {shown.certificate}; ssl_certificate_key {shown.key};"
    )
    mirror = f"https://127.0.0.1:{port}/content"
    with Nginx(tmp_path / "nginx", tmp_path, tls) as nginx:
        assert refusal(store, mirror) is Reason.UNREACHABLE
        assert nginx.asked() == []
        known = HttpSource([mirror], pools=Pools(ours.certificate))
        assert known.fetch(PINNED, store).read_bytes() == DATA


def test_no_credentials_go_to_a_mirror(nginx: Nginx, store: Store) -> None:
    fetch(store, f"{nginx.url}/content")
    assert {request[3] for request in nginx.asked()} == {"--"}
    for address in ("http://user:word@host/x", "ftp://host/x", "file:///etc", "http://h/x?token=1"):
        with pytest.raises(ValueError, match="mirror"):
            HttpSource([address])
