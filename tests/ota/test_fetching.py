"""A release's contents come by the cheapest way that works."""

from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest

from ota.delta_make import make_delta
from ota.errors import OtaError, Reason, StoreError, TransferError
from ota.fetching import cost, fetch_release, plan_fetch
from ota.generations import Generations
from ota.release import Content, Delta, Release
from ota.storage import Disk
from ota.store import Pinned, Store
from ota.transfer import HttpSource
from ota.transfer_plan import Limits
from tests.support.cut_proxy import CutProxy
from tests.support.nginx import PROGRAM, Nginx
from tests.support.tiny_bundle import write_bundle
from tests.support.tiny_release import put, release_of


class Shelf:
    """Contents in memory; remembers what was asked for."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.fault: TransferError | None = None

    def fetch(self, pinned: Pinned, store: Store) -> Path:
        self.asked.append(pinned.sha256)
        if self.fault:
            raise self.fault
        if pinned.sha256 not in self.contents:
            raise TransferError(Reason.REFUSED, "not here")
        store.drop_part(pinned.sha256)
        store.append(pinned.sha256, self.contents[pinned.sha256])
        return store.admit(pinned)


class Publisher:
    """Two bundles with a large file each, the second with a delta from the first."""

    def __init__(self, folder: Path, shelf: Shelf) -> None:
        self.old = write_bundle(folder / "old", "a", padding=50_000)
        self.new = write_bundle(folder / "new", "b", padding=50_000)
        self.before, after = release_of(self.old), release_of(self.new, 2)
        made = [self._with_delta(content, folder, shelf) for content in after.contents]
        self.after = after.model_copy(update={"contents": tuple(made)})

    def _with_delta(self, content: Content, folder: Path, shelf: Shelf) -> Content:
        path, delta = self.new / content.file, folder / "delta"
        shelf.contents[content.sha256] = path.read_bytes()
        if not content.file.endswith(".bin"):
            return content
        made = make_delta(self.old / content.file, path, delta)
        shelf.contents[made.file.sha256] = delta.read_bytes()
        named = Delta(of=made.header.source.sha256, sha256=made.file.sha256, bytes=made.file.bytes)
        useless = Delta(of="0" * 64, sha256="1" * 64, bytes=1)
        return content.model_copy(update={"deltas": (useless, named)})


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def publisher(tmp_path: Path, shelf: Shelf) -> Publisher:
    return Publisher(tmp_path, shelf)


@pytest.fixture
def generations(tmp_path: Path, publisher: Publisher) -> Generations:
    found = Generations(tmp_path / "models")
    found.install(publisher.old)
    return found


def voice(release: Release) -> Content:
    return next(c for c in release.contents if c.file == "voice.bin")


def test_a_delta_is_taken_where_its_beginning_is_here(
    publisher: Publisher, generations: Generations, shelf: Shelf
) -> None:
    release, store = publisher.after, generations.store
    needs = plan_fetch(release, store)
    assert cost(needs) < 0.6 * release.size
    fetch_release(release, store, shelf)
    delta = voice(release).deltas[1]
    assert delta.sha256 in shelf.asked
    assert voice(release).sha256 not in shelf.asked
    assert not store.path(delta.sha256).exists()  # nothing starts from it
    generations.stage(release)


@pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed")
def test_a_delta_comes_from_a_real_server_over_a_line_that_breaks(
    publisher: Publisher, generations: Generations, shelf: Shelf, tmp_path: Path
) -> None:
    site = tmp_path / "site/content"
    site.mkdir(parents=True)
    for sha256, data in shelf.contents.items():
        (site / sha256).write_bytes(data)
    limits = Limits(base_s=0.001, longest_s=0.001)
    planned = cost(plan_fetch(publisher.after, generations.store))
    with Nginx(tmp_path / "nginx", site.parent) as nginx, CutProxy(nginx.port, [400] * 3) as proxy:
        source = HttpSource([f"{proxy.url}/content"], limits=limits)
        fetch_release(publisher.after, generations.store, source)
    assert source.spent == planned < 0.6 * publisher.after.size
    assert voice(publisher.after).deltas[1].sha256 in str(nginx.asked())
    generations.stage(publisher.after)


def test_a_new_device_takes_whole_files(publisher: Publisher, tmp_path: Path, shelf: Shelf) -> None:
    fresh = Generations(tmp_path / "fresh")
    fetch_release(publisher.after, fresh.store, shelf)
    assert set(shelf.asked) == {c.sha256 for c in publisher.after.contents}
    fresh.stage(publisher.after)


@pytest.mark.parametrize("damage", ["missing", "garbage"])
def test_the_whole_file_follows_where_a_delta_fails(
    publisher: Publisher, generations: Generations, shelf: Shelf, damage: str
) -> None:
    delta = voice(publisher.after).deltas[1]
    if damage == "missing":
        del shelf.contents[delta.sha256]
    else:
        shelf.contents[delta.sha256] = b"?" * delta.bytes
    with pytest.raises(OtaError):
        fetch_release(publisher.after, generations.store, shelf, whole_files=False)
    fetch_release(publisher.after, generations.store, shelf)
    generations.stage(publisher.after)


def test_a_damaged_beginning_costs_the_whole_file_and_nothing_else(
    publisher: Publisher, generations: Generations, shelf: Shelf
) -> None:
    held = generations.store.path(voice(publisher.before).sha256)
    held.chmod(0o644)
    held.write_bytes(random.Random(1).randbytes(held.stat().st_size))
    fetch_release(publisher.after, generations.store, shelf)
    assert generations.stage(publisher.after).staged


def test_what_is_here_is_not_asked_for_again(
    publisher: Publisher, generations: Generations, shelf: Shelf
) -> None:
    put(generations.store, publisher.new)
    fetch_release(publisher.after, generations.store, shelf)
    assert shelf.asked == []


def test_a_fetch_that_was_cut_keeps_what_it_has_through_a_collection(
    publisher: Publisher, generations: Generations, shelf: Shelf
) -> None:
    plain = tuple(c.model_copy(update={"deltas": ()}) for c in publisher.after.contents)
    release, last = publisher.after.model_copy(update={"contents": plain}), plain[-1].sha256
    last_content = shelf.contents.pop(last)
    with pytest.raises(TransferError):
        fetch_release(release, generations.store, shelf)
    generations.collect()
    shelf.contents[last] = last_content
    shelf.asked.clear()
    fetch_release(release, generations.store, shelf)
    assert shelf.asked == [last]


def test_a_disk_that_fills_up_meanwhile_is_named(
    publisher: Publisher, generations: Generations, shelf: Shelf
) -> None:
    class Full(Disk):
        def append(self, path: Path, data: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with pytest.raises(StoreError) as caught:
        fetch_release(publisher.after, Store(generations.store.root, Full()), shelf)
    assert caught.value.reason is Reason.NO_ROOM


@pytest.mark.parametrize("reason", [Reason.CANCELLED, Reason.BYTE_BUDGET])
def test_some_ends_are_final(
    publisher: Publisher, generations: Generations, shelf: Shelf, reason: Reason
) -> None:
    shelf.fault = TransferError(reason, "over")
    with pytest.raises(TransferError) as caught:
        fetch_release(publisher.after, generations.store, shelf)
    assert caught.value.reason is reason
    assert len(shelf.asked) == 1


def test_what_does_not_fit_the_disk_is_not_begun(
    publisher: Publisher, generations: Generations, shelf: Shelf
) -> None:
    huge = publisher.after.contents[0].model_copy(update={"bytes": 2**62, "sha256": "e" * 64})
    contents = (*publisher.after.contents, huge)
    release = publisher.after.model_copy(update={"contents": contents})
    with pytest.raises(StoreError) as caught:
        fetch_release(release, generations.store, shelf)
    assert caught.value.reason is Reason.NO_ROOM
    assert shelf.asked == []
