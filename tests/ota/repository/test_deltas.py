"""A release brings ways from the files of the releases before, and they lead where they should."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from device.bundle import Bundle
from ota.delta import apply
from ota.release import Compat, Gate, Release
from ota.repository.deltas import contents_with_deltas
from ota.repository.releases import lay_content, make_release
from ota.store import Store
from tests.support.published import CLASS, Desk
from tests.support.tiny_bundle import write_bundle

SIZE = 200_000


def bundle_with(directory: Path, voice: bytes) -> Bundle:
    """A bundle whose voice is these bytes."""
    path = write_bundle(directory)
    (path / "voice.bin").write_bytes(voice)
    manifest = json.loads((path / "manifest.json").read_text())
    entry = manifest["files"]["voice"]
    entry |= {"bytes": len(voice), "sha256": hashlib.sha256(voice).hexdigest()}
    (path / "manifest.json").write_text(json.dumps(manifest))
    return Bundle.open(path)


@pytest.fixture
def voices() -> list[bytes]:
    """Weights, and two fine-tunes of them: some numbers are one more or one less."""
    random = np.random.default_rng(1)
    first = random.integers(-60, 60, SIZE, dtype=np.int8)
    second = first + random.choice([-1, 0, 0, 0, 0, 1], SIZE).astype(np.int8)
    return [one.tobytes() for one in (first, second, second + np.int8(1))]


def released(desk: Desk, bundle: Bundle, name: str, earlier: list[Release]) -> Release:
    with desk.publisher() as publisher:
        release = make_release(
            publisher, bundle, CLASS, name, compat=Compat(), gate=Gate(), unproved=True
        )
        contents = contents_with_deltas(publisher.shelf, bundle, earlier)
        for content in contents:
            lay_content(publisher.shelf, bundle.root / content.file, content)
        return release.model_copy(update={"contents": contents})


def test_deltas_lead_from_both_releases_before_to_the_signed_file(
    voices: list[bytes], tmp_path: Path
) -> None:
    desk = Desk.team(tmp_path)
    desk.found()
    found: list[Release] = []
    for number, voice in enumerate(voices):
        bundle = bundle_with(tmp_path / f"{number}", voice)
        found.insert(0, released(desk, bundle, f"1.{number}", found))
    [content] = [one for one in found[0].contents if one.file == "voice.bin"]
    hashes = [hashlib.sha256(voice).hexdigest() for voice in voices]
    assert [delta.of for delta in content.deltas] == [hashes[1], hashes[0]]
    shelf = desk.root / "public" / "content"
    for delta in content.deltas:
        assert (shelf / delta.sha256).stat().st_size == delta.bytes < SIZE * 0.6
        store = Store(tmp_path / f"store-{delta.of[:8]}")
        made = apply(shelf / delta.sha256, shelf / delta.of, content, store)
        assert made.read_bytes() == voices[2]
    # The manifest and the small graph are fetched whole; nothing unfinished is left to serve.
    assert all(not one.deltas for one in found[0].contents if one.file != "voice.bin")
    assert not [path for path in shelf.iterdir() if path.name.startswith(".")]


def test_no_delta_leads_from_a_file_that_was_damaged_on_the_server(
    voices: list[bytes], tmp_path: Path
) -> None:
    desk = Desk.team(tmp_path)
    desk.found()
    first = released(desk, bundle_with(tmp_path / "0", voices[0]), "1.0", [])
    old = desk.root / "public/content" / hashlib.sha256(voices[0]).hexdigest()
    old.write_bytes(b"!" + voices[0][1:])
    bundle = bundle_with(tmp_path / "1", voices[1])
    with desk.publisher() as publisher:
        contents = contents_with_deltas(publisher.shelf, bundle, [first])
    assert all(content.deltas == () for content in contents)


def test_a_file_that_has_nothing_of_the_old_one_gets_no_delta(
    voices: list[bytes], tmp_path: Path
) -> None:
    desk = Desk.team(tmp_path)
    desk.found()
    first = released(desk, bundle_with(tmp_path / "0", voices[0]), "1.0", [])
    other = np.random.default_rng(2).bytes(SIZE)
    before = set((desk.root / "public" / "content").iterdir())
    bundle = bundle_with(tmp_path / "1", other)
    with desk.publisher() as publisher:
        contents = contents_with_deltas(publisher.shelf, bundle, [first])
    assert all(content.deltas == () for content in contents)
    assert set((desk.root / "public" / "content").iterdir()) == before
