"""Thousands of virtual devices at once against one static server and one hawkBit double.

    python -m tests.support.crowd --devices 2000

Every device keeps a connection to each server and speaks what a real one speaks: the update
client's metadata requests, hawkBit's device interface with our own documents, and ranged content
that is cut once and resumed. All are connected before the first asks, so they are concurrent.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ota.layout import CONTENT, METADATA, TARGETS
from ota.phases import Phase
from ota.release import Facts
from ota.rollout import ddi
from ota.rollout.source import Report
from services.cli import main as linnet
from tests.support.ddi_double import DdiDouble, Status
from tests.support.http_front import serving
from tests.support.nginx import Nginx
from tests.support.tiny_bundle import write_bundle

CLASS, RELEASE = "pc-x86-64", "2.0"
TARGET = f"models/{CLASS}/{RELEASE}/release.json"
FACTS = Facts(device_class=CLASS, memory_mb=8000, app="0.4")
PHASES = (Phase.ASSIGNED, Phase.DOWNLOADING, Phase.VERIFIED, Phase.TRIAL, Phase.COMMITTED)
LIMIT_S = 300.0


@dataclass
class Result:
    """What the crowd met."""

    devices: int
    requests: int = 0
    bytes: int = 0
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0
    slowest_s: float = 0.0
    """The slowest single request."""
    finished: int = 0
    """Actions that hawkBit counts as a success."""
    statuses: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """One kept connection, one request at a time."""

    def __init__(self, origin: str, result: Result) -> None:
        parts = urlsplit(origin)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._result = result

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)

    def close(self) -> None:
        self._writer.close()

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        begin = time.monotonic()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}:{self._port}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        lines += [f"Content-Length: {len(body)}"] if body else []
        self._writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ")[1])
        found = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        data = await self._reader.readexactly(int(found.get("content-length", "0")))
        result = self._result
        result.requests, result.bytes = result.requests + 1, result.bytes + len(data)
        result.statuses[status] += 1
        result.slowest_s = max(result.slowest_s, time.monotonic() - begin)
        return Answer(status, found, data)


class Device:
    """One device: its two connections and the sequence of one whole update."""

    def __init__(self, number: int, static: str, hawkbit: str, files: Files, out: Result) -> None:
        self.name = f"spk-{number:05}"
        self.static, self.hawkbit = Connection(static, out), Connection(hawkbit, out)
        self._base = f"/DEFAULT/controller/v1/{self.name}"
        self._files = files

    async def connect(self) -> None:
        await self.static.open()
        await self.hawkbit.open()

    async def update(self) -> None:
        """Register, be assigned, fetch, report. AssertionError where anything is not as it is."""
        base = await self._poll()
        assert base.links.config_data is not None
        await self._tell("PUT", f"{self._base}/configData", ddi.attributes(FACTS))
        href = (await self._poll()).links.deployment
        assert href is not None
        link = urlsplit(href.href)
        answer = await self.hawkbit.ask("GET", f"{link.path}?{link.query}")
        deployment = ddi.read(ddi.Deployment, answer.body)
        assert deployment.target == TARGET
        for phase in PHASES:
            if phase is Phase.VERIFIED:
                await self._fetch()
            await self._report(deployment.id, phase)
        assert (await self._poll()).links.deployment is None

    async def _poll(self) -> ddi.Base:
        answer = await self.hawkbit.ask("GET", self._base)
        assert answer.status == 200, answer.status
        return ddi.read(ddi.Base, answer.body)

    async def _report(self, action: str, phase: Phase) -> None:
        body = ddi.feedback(Report(action, phase), 0)
        assert body is not None
        await self._tell("POST", f"{self._base}/deploymentBase/{action}/feedback", body)

    async def _tell(self, method: str, path: str, body: dict[str, Any]) -> None:
        answer = await self.hawkbit.ask(method, path, body=json.dumps(body).encode())
        assert answer.status == 200, (path, answer.status)

    async def _fetch(self) -> None:
        missing = await self.static.ask("GET", f"/{METADATA}/2.root.json")
        assert missing.status == 404
        for path in (*self._files.metadata, *self._files.targets):
            assert (await self.static.ask("GET", f"/{path}")).status == 200, path
        for path, size in self._files.content:
            assert await self._resumed(path, size) == path.rpartition("/")[2]

    async def _resumed(self, path: str, size: int) -> str:
        """SHA-256 of a file that came in two pieces."""
        cut, digest = size // 2, hashlib.sha256()
        for span in (f"bytes=0-{cut}", f"bytes={cut + 1}-"):
            answer = await self.static.ask("GET", f"/{path}", {"Range": span})
            assert answer.status == 206, answer.status
            digest.update(answer.body)
        return digest.hexdigest()


@dataclass(frozen=True)
class Files:
    """What a device without anything fetches, as paths under the repository's address."""

    metadata: tuple[str, ...]
    targets: tuple[str, ...]
    content: tuple[tuple[str, int], ...]

    @classmethod
    def under(cls, public: Path) -> Files:
        def paths(folder: str) -> list[Path]:
            return sorted(one for one in (public / folder).rglob("*") if one.is_file())

        def name(path: Path) -> str:
            return path.relative_to(public).as_posix()

        return cls(
            tuple(name(one) for one in paths(METADATA)),
            tuple(name(one) for one in paths(TARGETS)),
            tuple((name(one), one.stat().st_size) for one in paths(CONTENT)),
        )


def published(folder: Path) -> Path:
    """A repository with one release, rolled out; its public directory."""
    where = ["--repository", str(folder / "fleet")]
    of = ["--class", CLASS, "--release", RELEASE]
    for words in (
        ["init", "--class", CLASS, *where],
        ["publish", str(write_bundle(folder / "bundle")), "--unproved", *of, *where],
        ["rollout", "--nobody", *of, *where],
    ):
        with contextlib.redirect_stdout(sys.stderr):
            assert linnet(["fleet", *words]) == 0
    return next((folder / "fleet").rglob("timestamp.json")).parent.parent


@contextlib.contextmanager
def servers(folder: Path) -> Iterator[tuple[str, str, DdiDouble, Files]]:
    """(static origin, hawkBit's origin, the double, what there is to fetch)."""
    public, hawkbit = published(folder), DdiDouble()
    with Nginx(folder / "nginx", public) as nginx, serving(hawkbit.handle) as origin:
        yield nginx.url, origin, hawkbit, Files.under(public)


async def run(devices: int, static: str, origin: str, hawkbit: DdiDouble, files: Files) -> Result:
    """All devices connect, then all update at once."""
    out = Result(devices)
    crowd = [Device(number, static, origin, files, out) for number in range(devices)]
    for one in crowd:
        hawkbit.assign(one.name, TARGET)
        await one.connect()
    begin = time.monotonic()
    ended = await asyncio.wait_for(
        asyncio.gather(*(one.update() for one in crowd), return_exceptions=True), LIMIT_S
    )
    out.seconds = time.monotonic() - begin
    out.errors = [f"{type(one).__name__}: {one}" for one in ended if one is not None]
    for one in crowd:
        one.static.close()
        one.hawkbit.close()
    out.finished = sum(a.status is Status.FINISHED for a in hawkbit.actions.values())
    return out


def crowd(devices: int) -> Result:
    """So many devices against servers of their own on this machine."""
    _allow_files(4 * devices + 200)
    with tempfile.TemporaryDirectory() as folder, servers(Path(folder)) as there:
        return asyncio.run(run(devices, *there))


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--devices", type=int, default=2000)
    out = crowd(parser.parse_args().devices)
    print(
        json.dumps(
            {
                "devices": out.devices,
                "errors": len(out.errors),
                "finished": out.finished,
                "requests": out.requests,
                "megabytes": round(out.bytes / 1e6, 1),
                "seconds": round(out.seconds, 1),
                "requests_per_s": round(out.requests / out.seconds),
                "slowest_request_s": round(out.slowest_s, 2),
            }
        )
    )
    for line in out.errors[:5]:
        print(line, file=sys.stderr)
    return 1 if out.errors else 0


if __name__ == "__main__":
    sys.exit(main())
