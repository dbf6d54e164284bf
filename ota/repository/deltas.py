"""Deltas of a release: ways to its files from those of the releases before."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from device.bundle import Bundle
from ota.delta import WORTH
from ota.delta_make import make_delta
from ota.release import Content, Delta, Release
from ota.repository.releases import contents_of
from ota.repository.shelf import Shelf

LEAST_BYTES = 2**16
"""A smaller file is fetched whole: a request costs as much."""
MOST = 8


def contents_with_deltas(
    shelf: Shelf, bundle: Bundle, earlier: Iterable[Release]
) -> tuple[Content, ...]:
    """Every file of a bundle, with deltas from the files of that name in earlier releases.

    Deltas that save too little are left out; the others lie among the contents on return.

    Args:
        earlier: newest first.

    Raises:
        OSError: a file cannot be read or written.
    """
    older = list(earlier)
    found = []
    for content in contents_of(bundle):
        sources = {
            one.sha256: None  # in order, each once
            for release in older
            for one in release.contents
            if one.file == content.file and one.sha256 != content.sha256
        }
        made = []
        if content.bytes >= LEAST_BYTES:
            made = [_delta(shelf, source, bundle.root / content.file) for source in sources]
        deltas = tuple(one for one in made if one is not None)[:MOST]
        found.append(content.model_copy(update={"deltas": deltas}))
    shelf.disk.sync_directory(shelf.content)
    return tuple(found)


def _delta(shelf: Shelf, source: str, target: Path) -> Delta | None:
    old, draft = shelf.content / source, shelf.content / ".draft-delta"
    if not old.is_file():
        return None  # not kept by this publisher
    made = make_delta(old, target, draft)
    damaged = made.header.source.sha256 != source
    if damaged or made.ratio > WORTH:
        shelf.disk.remove(draft)
        return None
    shelf.disk.rename(draft, shelf.content / made.file.sha256)
    return Delta(of=source, sha256=made.file.sha256, bytes=made.file.bytes)
