"""The server over HTTP: this machine, the right token, and no page of the web."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from services.exit_codes import ExitCode
from services.mcp.token import read
from tests.support.mcp_servers import served_over_http
from tests.support.terminal import linnet, settings_file

pytestmark = pytest.mark.slow

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
ACCEPT = {"Accept": "application/json, text/event-stream"}


@dataclass(frozen=True)
class Served:
    url: str
    token: str

    def post(self, body: object = PING, **headers: str) -> int:
        """The status of a request that is in order but for what is given."""
        sent = {"Authorization": f"Bearer {self.token}", **ACCEPT, **headers}
        with httpx2.Client(trust_env=False) as client:
            return client.post(self.url, json=body, headers=sent).status_code


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("mcp")
    file = folder / "secrets" / "token"
    config = settings_file(folder, mcp={"token_file": file})
    with served_over_http(config) as url:
        yield Served(url, read(file))


def test_the_right_token_works_with_the_librarys_own_client(served: Served) -> None:
    async def talk() -> str:
        headers = {"Authorization": f"Bearer {served.token}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http,
            Client(streamable_http_client(served.url, http_client=http)) as client,
        ):
            assert "get_home" in {tool.name for tool in (await client.list_tools()).tools}
            done = await client.call_tool("HassTurnOn", {"name": "standing light"})
            return str(done.content[0].text)

    assert anyio.run(talk) == "the standing light is on"


def test_without_the_token_nothing_is_answered(served: Served) -> None:
    assert served.post() < 300
    assert served.post(Authorization="") == 401
    assert served.post(Authorization="Bearer " + "x" * 43) == 401
    assert served.post(Authorization=f"bearer {served.token}") == 401
    assert served.post(Authorization=f"Basic {served.token}") == 401
    assert served.post(Authorization=f"Bearer {served.token}x") == 401
    with httpx2.Client(trust_env=False) as client:
        assert client.post(served.url, json=PING, headers=ACCEPT).status_code == 401
        assert client.get(served.url.replace("/mcp", "/")).status_code == 401


def test_a_name_that_was_rebound_to_this_machine_is_refused(served: Served) -> None:
    port = served.url.split(":")[2].split("/")[0]
    assert served.post(Host=f"evil.example:{port}") == 421
    assert served.post(Host="127.0.0.1") == 421
    assert served.post(Host=f"localhost:{port}") < 300


def test_a_web_page_is_refused_even_with_the_token(served: Served) -> None:
    assert served.post(Origin="https://evil.example") == 403
    assert served.post(Origin=served.url.removesuffix("/mcp")) == 403


def test_a_body_that_is_too_large_is_refused(served: Served) -> None:
    assert served.post({"x": "y" * 70_000}) == 413


def test_a_token_that_others_can_read_keeps_it_from_starting(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("t" * 43)
    file.chmod(0o644)
    config = settings_file(tmp_path, mcp={"token_file": file})
    done = linnet("mcp", "--http", 0, "--simulated", "--config", config, cwd=tmp_path)
    assert done.returncode == ExitCode.SETTINGS
    assert "others may read it" in done.stderr
    assert "t" * 43 not in done.stderr + done.stdout
