"""``linnet ota conformance`` as the public suite starts it, against a real web server."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from services.cli import main
from tests.support.published import CLASS, Desk

TARGET = f"models/{CLASS}/1.0/release.json"


class Quiet(SimpleHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012  one server for each test

    def log_message(self, format: str, *args: object) -> None:
        self.asked.append(self.path)


@contextmanager
def serving(directory: Path) -> Iterator[str]:
    Quiet.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    from ota.trust.clock import utc_now

    desk = Desk.team(tmp_path, now=utc_now())
    desk.found()
    desk.publish("1.0", "release1", "release2")
    return desk


def client(tmp_path: Path, address: str, *words: str) -> int:
    for name in ("md", "targets"):
        (tmp_path / name).mkdir(exist_ok=True)
    return main(
        ["ota", "conformance", "--metadata-dir", str(tmp_path / "md"), "--metadata-url",
         f"{address}/metadata", "--target-base-url", f"{address}/targets", "--target-dir",
         str(tmp_path / "targets"), *words]
    )  # fmt: skip


def test_a_target_is_downloaded_once_and_nothing_is_asked_for_at_first(
    desk: Desk, tmp_path: Path
) -> None:
    public = desk.root / "public"
    with serving(public) as address:
        assert client(tmp_path, address, "init", str(public / "metadata/1.root.json")) == 0
        assert Quiet.asked == []
        assert client(tmp_path, address, "refresh") == 0
        for _ in range(2):
            assert client(tmp_path, address, "--target-name", TARGET, "download") == 0
    assert len([path for path in Quiet.asked if path.startswith("/targets/")]) == 1
    [file] = (tmp_path / "targets").iterdir()
    assert file.read_bytes().startswith(b'{\n "format": 1')
    names = {path.name for path in (tmp_path / "md").glob("*.json")}
    assert names == {
        "root.json",
        "timestamp.json",
        "snapshot.json",
        "targets.json",
        f"{CLASS}.json",
    }


def test_what_is_refused_ends_with_1_and_leaves_no_target(desk: Desk, tmp_path: Path) -> None:
    public = desk.root / "public"
    with serving(public) as address:
        client(tmp_path, address, "init", str(public / "metadata/1.root.json"))
        assert client(tmp_path, address, "--target-name", "no/such/target", "download") == 1
        [file] = (public / "targets").rglob("*.release.json")
        file.write_bytes(file.read_bytes() + b" ")
        assert client(tmp_path, address, "--target-name", TARGET, "download") == 1
        shutil.rmtree(public / "metadata")
        assert client(tmp_path, address, "refresh") == 1
    assert list((tmp_path / "targets").iterdir()) == []
