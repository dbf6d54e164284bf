"""Signed releases of tiny bundles, as an update hands them over, and their contents in a store."""

from __future__ import annotations

import hashlib
from pathlib import Path

from device.bundle import MANIFEST_NAME, Bundle
from ota.release import Content, Release
from ota.store import Store


def release_of(bundle_dir: Path, counter: int = 1) -> Release:
    """What a publisher would sign for a bundle."""
    files = [MANIFEST_NAME, *(entry.file for entry in Bundle.open(bundle_dir).manifest.stored())]
    return Release(
        device_class="pc-x86-64",
        release=f"1.{counter}",
        counter=counter,
        contents=tuple(content_of(bundle_dir / name, name) for name in files),
    )


def content_of(path: Path, name: str = "file") -> Content:
    """A file's size and hash."""
    data = path.read_bytes()
    return Content(file=name, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def put(store: Store, bundle_dir: Path) -> Release:
    """Bring a bundle's contents into a store, as a download does; its release."""
    release = release_of(bundle_dir)
    for content in release.contents:
        if not store.has(content):
            store.append(content.sha256, (bundle_dir / content.file).read_bytes())
            store.admit(content)
    return release
