"""One release for a stick: the part of a repository that a device needs to trust and install it."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ota.layout import METADATA, TARGETS, content_path
from ota.release import Release, class_of
from ota.repository.errors import PublishError
from ota.repository.shelf import Shelf, targets_of
from ota.rollout.rollout import rollout_target
from ota.storage import Disk
from ota.store import matches


@dataclass(frozen=True)
class Exported:
    """What was written."""

    files: int
    bytes: int


def export_release(shelf: Shelf, target: str, out: Path) -> Exported:
    """Write a published release as a directory, or as an archive where ``out`` ends in ``.tar``.

    Deltas are left out: the stick has room, and may meet a device of any release. It is good for
    as long as the metadata on it; ``Publisher.lasting`` gives them more life.

    Raises:
        PublishError: the release is not published, a file is missing or damaged, or ``out`` is
            there already.
    """
    names = list(dict.fromkeys(_names(shelf, target)))
    if out.exists():
        raise PublishError(f"{out}: is there already")
    draft = out.with_name(f".draft-{out.name}")
    Disk().remove(draft)
    try:
        (_archive if out.suffix == ".tar" else _directory)(shelf.public, names, draft)
        draft.replace(out)
    except OSError as error:
        raise PublishError(f"{error.filename or out}: {error.strerror}") from error
    return Exported(len(names), sum((shelf.public / name).stat().st_size for name in names))


def _names(shelf: Shelf, target: str) -> Iterator[str]:
    """Paths in the repository: metadata, signed targets, contents."""
    current = shelf.current()
    device_class = class_of(target)
    if device_class not in current:
        raise PublishError(f"{target}: its class has published nothing")
    yield from (f"{METADATA}/{path.name}" for path in sorted(shelf.metadata.glob("*.root.json")))
    for role, metadata in current.items():
        name = role if role == "timestamp" else f"{metadata.signed.version}.{role}"
        yield f"{METADATA}/{name}.json"
    for role, path in ((device_class, target), ("rollout", rollout_target(device_class))):
        info = targets_of(current[role].signed).targets.get(path) if role in current else None
        if info is not None:
            yield f"{TARGETS}/{info.get_prefixed_paths()[0]}"
        elif path == target:
            raise PublishError(f"{target}: is not published")
        if info is not None and path == target:
            yield from _contents(shelf, target, info.hashes["sha256"])


def _contents(shelf: Shelf, target: str, sha256: str) -> Iterator[str]:
    release = Release.parse(shelf.target(target, sha256), target)
    for content in release.contents:
        name = content_path(content.sha256)
        if not matches(shelf.public / name, content):
            raise PublishError(
                f"{name}: missing or damaged; publish its bundle again, under a new release name"
            )
        yield name


def _directory(public: Path, names: list[str], out: Path) -> None:
    for name in names:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(public / name, out / name)


def _archive(public: Path, names: list[str], out: Path) -> None:
    with tarfile.open(out, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = (public / name).stat().st_size
            with (public / name).open("rb") as stream:
                archive.addfile(member, stream)
