"""Installed model bundles as generations: what runs, what ran before, and the switch between.

    gen/000002-<digest>/…    a verified bundle, never changed once it has this name
    current  -> gen/000002-…
    previous -> gen/000001-…

``install`` copies a bundle under a hidden name, verifies the copy, and only then renames it and
switches the links, each step durable before the next: power may be cut anywhere and ``current``
still names a whole bundle, the old one or the new.

This is the local end of updating only. Nothing here fetches, trusts signatures, counts attempts or
watches health: a bundle's origin is vouched for by whoever ran ``install``.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from device.bundle import MANIFEST_NAME, Bundle
from device.errors import BundleError
from ota.storage import Disk, Storage

_NAME = re.compile(r"(\d{6})-([0-9a-f]{12})")


class GenerationError(Exception):
    """An install or a roll-back that cannot be done; says what to do."""


@dataclass(frozen=True)
class Generation:
    """One installed bundle."""

    name: str
    """``<counter>-<first 12 hex digits of the manifest's SHA-256>``."""
    path: Path
    current: bool
    previous: bool

    @property
    def counter(self) -> int:
        """Grows with each install."""
        return int(self.name[:6])


class Generations:
    """The generations under ``root``, which need not exist to be read."""

    def __init__(self, root: Path, storage: Storage | None = None) -> None:
        self.root = root
        self._disk = storage or Disk()
        self._gen = root / "gen"

    def current(self) -> Path | None:
        """The bundle to run; None when none is installed."""
        return self._target("current")

    def previous(self) -> Path | None:
        """The bundle that ``rollback`` goes to first."""
        return self._target("previous")

    def installed(self) -> list[Generation]:
        """Installed generations, oldest first."""
        if not self._gen.is_dir():
            return []
        current, previous = self.current(), self.previous()
        paths = sorted(p for p in self._gen.iterdir() if _NAME.fullmatch(p.name))
        return [Generation(p.name, p, p == current, p == previous) for p in paths]

    def install(self, bundle_dir: Path) -> Generation:
        """Verify, copy and switch to a bundle; one that is installed already is only switched to.

        Raises:
            BundleError: the bundle is damaged or does not fit.
            GenerationError: no room or no right to write, or another install is running.
        """
        bundle = Bundle.open(bundle_dir)
        with self._writing():
            held = [g.path for g in self.installed() if g.name[7:] == bundle.digest[:12]]
            path = next((p for p in held if _whole(p)), None)
            self._switch(path or self._copy(bundle))
            self._collect()
        return self._now()

    def rollback(self) -> Generation:
        """Switch to the generation before the current one.

        Raises:
            GenerationError: there is none that is whole, or another install is running.
        """
        with self._writing():
            current, previous = self.current(), self.previous()
            # The one before; else, after a cut between the two links, the newest other one.
            others = [g.path for g in reversed(self.installed())]
            for path in [previous, *others]:
                if path and path != current and _whole(path):
                    self._switch(path)
                    return self._now()
        raise GenerationError(f"{self.root}: no earlier whole bundle; install one")

    def _copy(self, bundle: Bundle) -> Path:
        newest = max((g.counter for g in self.installed()), default=0)
        name = f"{newest + 1:06d}-{bundle.digest[:12]}"
        draft = self._gen / f".draft-{name}"
        self._disk.make_directory(draft)
        directories = {draft}
        for file in (MANIFEST_NAME, *(entry.file for entry in bundle.manifest.stored())):
            target = draft / file
            for parent in reversed(target.relative_to(draft).parents[:-1]):
                self._disk.make_directory(draft / parent)
                directories.add(draft / parent)
            self._disk.copy(bundle.root / file, target)
        # Deepest first, so that a directory's name is durable only when what it holds is.
        for directory in sorted(directories, key=lambda d: -len(d.parts)):
            self._disk.sync_directory(directory)
        if Bundle.open(draft).digest != bundle.digest:
            raise GenerationError(f"{bundle.root}: changed while it was copied; try again")
        self._disk.rename(draft, self._gen / name)
        return self._gen / name

    def _switch(self, path: Path) -> None:
        current = self.current()
        if path == current:
            return
        # Here, not after the copy: an earlier install may have been killed just before it.
        self._disk.sync_directory(self._gen)
        if current is not None:
            self._point("previous", current)
        self._point("current", path)

    def _point(self, link: str, path: Path) -> None:
        draft = self.root / f".draft-{link}"
        self._disk.remove(draft)
        self._disk.link(os.path.relpath(path, self.root), draft)
        self._disk.rename(draft, self.root / link)
        self._disk.sync_directory(self.root)

    def _collect(self) -> None:
        """Remove what neither link names. Under a hidden name first: never half a generation."""
        for generation in self.installed():
            if not (generation.current or generation.previous):
                draft = self._gen / f".draft-{generation.name}"
                self._disk.rename(generation.path, draft)
                self._disk.sync_directory(self._gen)
                self._disk.remove(draft)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the lock; sweep away what an interrupted install left."""
        try:
            self._disk.make_directory(self._gen)
            self._disk.sync_directory(self.root)
            with (self.root / ".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for stale in self._gen.glob(".draft-*"):
                    self._disk.remove(stale)
                yield
        except BlockingIOError as error:
            raise GenerationError(f"{self.root}: busy with another install; wait") from error
        except OSError as error:
            raise GenerationError(f"{error.filename or self.root}: {error.strerror}") from error

    def _target(self, link: str) -> Path | None:
        try:
            name = Path(os.readlink(self.root / link)).name
        except OSError:
            return None  # not there: nothing is installed
        path = self._gen / name
        return path if _NAME.fullmatch(name) and (path / MANIFEST_NAME).is_file() else None

    def _now(self) -> Generation:
        return next(g for g in self.installed() if g.current)


def _whole(path: Path) -> bool:
    try:
        Bundle.open(path)
    except BundleError:
        return False
    return True
