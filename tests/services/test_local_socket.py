"""Questions and answers over a Unix socket, and those who do not keep to it."""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ota.errors import Reason, StoreError
from services.local_socket import MAX_BYTES, SocketError, SocketServer, ask


def answer(question: dict[str, Any]) -> dict[str, Any]:
    if question.get("do") == "read the disk":
        raise StoreError(Reason.DISK, question["of"])
    if question.get("do") == "forget how to write":
        return {"is": object()}
    if question.get("do") != "double":
        raise ValueError("not a question for me")
    return {"is": 2 * question["of"]}


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    server = SocketServer(tmp_path / "desk.sock", answer)
    yield tmp_path / "desk.sock"
    server.close()


def test_a_question_is_answered(path: Path) -> None:
    assert ask(path, {"do": "double", "of": 21}) == {"is": 42}


def test_what_cannot_be_done_is_said(path: Path) -> None:
    with pytest.raises(SocketError, match="not a question for me"):
        ask(path, {"do": "triple"})


@pytest.mark.parametrize(
    ("do", "kind"), [("read the disk", "StoreError"), ("forget how to write", "TypeError")]
)
def test_a_fault_in_the_answer_is_told_by_its_kind_and_the_next_question_is_answered(
    path: Path, caplog: pytest.LogCaptureFixture, do: str, kind: str
) -> None:
    caplog.set_level("DEBUG")
    with pytest.raises(SocketError, match=kind):
        ask(path, {"do": do, "of": "personal"})
    assert ask(path, {"do": "double", "of": 21}) == {"is": 42}
    assert any(getattr(record, "error", "") == kind for record in caplog.records)
    assert "personal" not in caplog.text


def test_a_file_that_a_later_server_put_there_stays(path: Path) -> None:
    first = SocketServer(path, answer)
    later = SocketServer(path, answer)
    first.close()
    assert ask(path, {"do": "double", "of": 3}) == {"is": 6}
    later.close()
    assert not path.exists()


def test_only_its_owner_and_group_may_ask(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


@pytest.mark.parametrize(
    "noise", [b"", b"no json\n", b"[1]\n", b"[" * 50_000 + b"\n", b"x" * (MAX_BYTES + 1)]
)
def test_noise_costs_one_connection_and_no_more(path: Path, noise: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(str(path))
        one.sendall(noise)
        one.shutdown(socket.SHUT_WR)
        reply = one.recv(4096)
    assert reply == b"" or reply.startswith(b'{"error"')
    assert ask(path, {"do": "double", "of": 1}) == {"is": 2}


def test_nobody_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SocketError, match=r"none\.sock"):
        ask(tmp_path / "none.sock", {})


def test_a_socket_that_a_killed_server_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "desk.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    with pytest.raises(SocketError):
        ask(path, {})
    server = SocketServer(path, answer)
    assert ask(path, {"do": "double", "of": 2}) == {"is": 4}
    server.close()
    assert not path.exists()


def test_a_place_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SocketError, match="nowhere"):
        SocketServer(tmp_path / "nowhere" / "desk.sock", answer)
