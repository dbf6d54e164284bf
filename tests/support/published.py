"""A repository that ``ota.repository`` made, the people who sign in it, and a device before it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface

from device.bundle import Bundle
from ota.layout import Addresses
from ota.release import Compat, Gate
from ota.repository.keys import KeyFile, make_key
from ota.repository.publisher import Outcome, Publisher
from ota.repository.releases import make_release, publish_release
from ota.repository.setup import Founders, Signers, found
from ota.trust.client import Trust
from tests.support.tiny_bundle import write_bundle

CLASS = "pc-x86-64"
START = datetime(2026, 3, 1, tzinfo=timezone.utc)
BASE = "memory://fleet"
_devices = itertools.count()


class FilesFetcher(FetcherInterface):
    """Serves files of a directory, or of a mapping from path to bytes."""

    def __init__(self, files: Path | Mapping[str, bytes]) -> None:
        self.files = files

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = url.removeprefix(f"{BASE}/")
        try:
            data = (
                (self.files / path).read_bytes()
                if isinstance(self.files, Path)
                else self.files[path]
            )
        except (FileNotFoundError, KeyError):
            raise DownloadHTTPError("404", 404) from None
        return iter([data])


@dataclass
class Desk:
    """A repository, and everyone's keys, each in a directory of its own."""

    root: Path
    homes: Path
    now: datetime = START
    keys: dict[str, KeyFile] = field(default_factory=dict)
    outcome: Outcome = field(default_factory=lambda: Outcome((), ()))

    @classmethod
    def team(cls, directory: Path, now: datetime = START) -> Desk:
        """3-of-5 root, 2-of-3 targets, 2 release signers; only the online key is at hand."""
        desk = cls(directory / "fleet", directory / "homes", now)

        def signers(role: str, count: int) -> Signers:
            return Signers(tuple(desk.key(f"{role}{n + 1}") for n in range(count)))

        publisher = Publisher(desk.root, now=desk.now)
        publisher.shelf.make()
        desk.keys["online"] = make_key(publisher.shelf.keys, "online")
        online = Signers((desk.keys["online"],))
        classes = {CLASS: signers("release", 2)}
        founders = Founders(signers("root", 5), signers("target", 3), online, online, classes)
        desk.outcome = found(publisher, founders)
        return desk

    def key(self, name: str) -> KeyFile:
        """Somebody makes a key at home."""
        self.keys[name] = make_key(self.homes / name, name)
        return self.keys[name]

    @contextmanager
    def publisher(self, *keys: KeyFile) -> Iterator[Publisher]:
        publisher = Publisher(self.root, now=self.now, keys=keys)
        with publisher.working():
            yield publisher

    def sign(self, *names: str) -> Outcome:
        with self.publisher(*(self.keys[name] for name in names)) as publisher:
            return publisher.sign()

    def found(self) -> None:
        """As many sign as have to."""
        self.sign("root1", "root2", "root3", "target1", "target2", "release1", "release2")

    def publish(self, name: str, *signers: str, device_class: str = CLASS) -> str:
        """Publish a tiny bundle; returns its target path."""
        bundle = Bundle.open(write_bundle(self.homes / f"bundle-{name}", name))
        with self.publisher(*(self.keys[one] for one in signers)) as publisher:
            release = make_release(
                publisher, bundle, device_class, name, compat=Compat(), gate=Gate(), unproved=True
            )
            publish_release(publisher, bundle, release)
        return release.target

    def waiting(self) -> dict[str, tuple[int, int]]:
        """Staged roles that lack signatures: how many they have, of how many."""
        with self.publisher() as publisher:
            return {need.role: (need.signed, need.threshold) for need in publisher.needed()}


def device_of(desk: Desk, files: Mapping[str, bytes] | None = None) -> Trust:
    """A fresh device that trusts the desk's first root."""
    public = desk.root / "public"
    return Trust(
        desk.homes / f"device-{next(_devices)}",
        (public / "metadata" / "1.root.json").read_bytes(),
        Addresses.under(BASE),
        fetcher=FilesFetcher(public if files is None else files),
        now=lambda: desk.now + timedelta(minutes=1),
    )
