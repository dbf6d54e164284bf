"""Contents come in whole or not at all, are kept once, and go when nobody needs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ota.errors import Reason, StoreError, TrustError
from ota.store import Store, matches
from tests.support.tiny_release import content_of


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "models/store")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"weights" * 1000)
    return path


def test_a_content_gathered_in_pieces_is_admitted_read_only(store: Store, file: Path) -> None:
    pinned, data = content_of(file), file.read_bytes()
    store.append(pinned.sha256, data[:10])
    assert store.gathered(pinned.sha256) == 10
    assert not store.has(pinned)
    store.append(pinned.sha256, data[10:])
    path = store.admit(pinned)
    assert path.read_bytes() == data
    assert path.stat().st_mode & 0o777 == 0o444
    assert store.gathered(pinned.sha256) == 0


@pytest.mark.parametrize("wrong", [b"weights" * 999, b"WEIGHTS" * 1000, b""])
def test_wrong_bytes_never_become_a_content(store: Store, file: Path, wrong: bytes) -> None:
    pinned = content_of(file)
    store.append(pinned.sha256, wrong)
    with pytest.raises(TrustError) as caught:
        store.admit(pinned)
    assert caught.value.reason is Reason.WRONG_CONTENT
    assert list(store.root.iterdir()) == []


def test_a_damaged_content_is_replaced_when_its_file_is_adopted_again(
    store: Store, file: Path
) -> None:
    pinned = content_of(file)
    held = store.adopt(file, pinned)
    held.chmod(0o644)
    held.write_bytes(b"WEIGHTS" * 1000)
    assert store.adopt(file, pinned).read_bytes() == file.read_bytes()


def test_links_and_pipes_are_not_read(store: Store, file: Path, tmp_path: Path) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(file)
    os.mkfifo(pipe)
    assert matches(file, content_of(file))
    assert not matches(link, content_of(file))
    assert not matches(pipe, content_of(file))
    with pytest.raises(OSError, match="symbolic links"):
        store.adopt(link, content_of(file))


def test_a_link_put_where_a_part_belongs_is_not_written_through(
    store: Store, file: Path, tmp_path: Path
) -> None:
    pinned = content_of(file)
    store.prepare()
    store.part(pinned.sha256).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        store.append(pinned.sha256, b"x")
    assert not (tmp_path / "elsewhere").exists()


def test_names_that_are_no_hash_are_refused(store: Store) -> None:
    for name in ("../../etc/passwd", "", "a" * 63, "A" * 64):
        with pytest.raises(ValueError, match="not a SHA-256"):
            store.path(name)


def test_what_is_held_or_wanted_stays_and_the_rest_goes(store: Store, tmp_path: Path) -> None:
    pins = {}
    for name in ("held", "wanted", "stale"):
        (tmp_path / name).write_text(name)
        pins[name] = content_of(tmp_path / name)
        store.adopt(tmp_path / name, pins[name])
        store.append(pins[name].sha256[::-1], b"part")
    store.want([pins["wanted"].sha256, pins["wanted"].sha256[::-1]])
    store.collect({pins["held"].sha256})
    assert [name for name, pin in pins.items() if store.has(pin)] == ["held", "wanted"]
    assert [name for name, pin in pins.items() if store.gathered(pin.sha256[::-1])] == ["wanted"]


def test_wishes_outlive_a_restart_and_an_unreadable_list_is_empty(store: Store) -> None:
    store.want(["a" * 64])
    assert Store(store.root).wanted() == {"a" * 64}
    (store.root / "wanted.json").write_text('{"wanted": ["../x"]}')
    assert store.wanted() == frozenset()


def test_what_does_not_fit_is_not_begun(store: Store) -> None:
    store.require_room(1)
    with pytest.raises(StoreError) as caught:
        store.require_room(2**62)
    assert caught.value.reason is Reason.NO_ROOM
