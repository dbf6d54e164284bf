"""Installed model bundles as generations: what runs, what ran before, what may run next.

    store/<sha256>          contents, each kept once (ota.store)
    gen/000002-<digest>/…   a verified bundle, hard links into the store; never changed
    current  -> gen/000002-…
    previous -> gen/000001-…
    staged   -> gen/000003-…

``install`` takes a local bundle and switches to it. An update over the air takes the same steps one
by one: ``stage`` makes the generation, ``switch`` runs it, ``rollback`` goes back. A generation is
put together under a hidden name, verified, and only then renamed; each step is durable before the
next: power may be cut anywhere and ``current`` still names a whole bundle, the old one or the new.

Whether to switch, how often to try and when to go back is decided elsewhere (``ota.machine``); so
is whom to believe (``ota.trust``).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from device.bundle import MANIFEST_NAME, Bundle, Manifest, RuntimeTooOld, StoredFile
from device.errors import BundleError
from ota.errors import Reason, StoreError, TrustError
from ota.release import Release
from ota.storage import Disk, Storage, disk_reason
from ota.store import Store, matches

_NAME = re.compile(r"(\d{6})-([0-9a-f]{12})")
MAX_MANIFEST_BYTES = 2**20  # as Bundle.open reads
_LINKS = ("current", "previous", "staged")


class GenerationError(StoreError):
    """An install, a switch or a roll-back that cannot be done; says what to do."""

    def __init__(self, problem: str, reason: Reason = Reason.DISK) -> None:
        super().__init__(reason, problem)


@dataclass(frozen=True)
class Generation:
    """One installed bundle."""

    name: str
    """``<counter>-<first 12 hex digits of the manifest's SHA-256>``."""
    path: Path
    current: bool
    previous: bool
    staged: bool = False
    """Ready to be switched to; ``collect`` keeps it."""

    @property
    def counter(self) -> int:
        """Grows with each generation made here; a release has a counter of its own."""
        return int(self.name[:6])


class Generations:
    """The generations under ``root``, which need not exist to be read."""

    def __init__(self, root: Path, storage: Storage | None = None) -> None:
        self.root = root
        self._disk = storage or Disk()
        self._gen = root / "gen"
        self.store = Store(root / "store", self._disk)

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
        current, previous, staged = (self._target(link) for link in _LINKS)
        paths = sorted(p for p in self._gen.iterdir() if _NAME.fullmatch(p.name))
        return [
            Generation(p.name, p, p == current, p == previous, p == staged and p != current)
            for p in paths
        ]

    def install(self, bundle_dir: Path) -> Generation:
        """Verify, copy and switch to a bundle; one that is installed already is only switched to.

        Raises:
            BundleError: the bundle is damaged or does not fit.
            GenerationError: no room or no right to write, or another install is running.
        """
        bundle = Bundle.open(bundle_dir)
        with self._writing():
            path = self._made(bundle.digest)
            if path is None:
                contents = _contents_of(bundle)
                self._adopt(bundle, contents)
                path = self._assemble(contents, bundle.digest)
            self._switch(path)
            self._collect()
        return self._at(path)

    def stage(self, release: Release) -> Generation:
        """Make a release's generation from contents that are in the store, without running it.

        Raises:
            TrustError: the contents are no bundle, another bundle than the release pins, or
                damaged; damaged ones are removed, to be fetched again.
            GenerationError: a content is missing, no room, or another install is running.
        """
        digest = next(c.sha256 for c in release.contents if c.file == MANIFEST_NAME)
        with self._writing():
            path = self._made(digest) or self._assemble(release.contents, digest)
            self._disk.sync_directory(self._gen)
            if path != self.current():
                self._point("staged", path)
            self.store.want(())
        return self._at(path)

    def switch(self, name: str) -> Generation:
        """Let a generation be current, and the current one previous.

        Raises:
            GenerationError: there is none of that name that is whole, or another install is
                running.
        """
        with self._writing():
            path = self._gen / name
            if not _NAME.fullmatch(name) or not _whole(path):
                raise GenerationError(f"{self.root}: no whole generation of that name; stage again")
            self._switch(path)
        return self._at(path)

    def rollback(self) -> Generation:
        """Switch to the generation before the current one.

        Raises:
            GenerationError: there is none that is whole, or another install is running.
        """
        with self._writing():
            current, previous = self.current(), self.previous()
            # The one before; else, after a cut between the two links, the newest other one that
            # ran: a staged one never did.
            others = [g.path for g in reversed(self.installed()) if not g.staged]
            for path in [previous, *others]:
                if path and path != current and _whole(path):
                    self._switch(path)
                    return self._at(path)
        raise GenerationError(f"{self.root}: no earlier whole bundle; install one")

    def discard(self, name: str) -> None:
        """Remove a generation that is not current, such as one that failed its trial.

        Raises:
            GenerationError: it is the current one, or another install is running.
        """
        with self._writing():
            path = self._gen / name
            if path == self.current():
                raise GenerationError(f"{self.root}: {name} is in use; switch first")
            for link in _LINKS[1:]:
                if self._target(link) == path:
                    self._unlink(link)
            if _NAME.fullmatch(name) and path.is_dir():
                self._remove(path)

    def collect(self) -> None:
        """Remove generations that no link names, and contents that none of the kept ones holds.

        Raises:
            GenerationError: no right to write, or another install is running.
        """
        with self._writing():
            self._collect()

    def _made(self, digest: str) -> Path | None:
        """A whole generation of this manifest that is here already."""
        held = [g.path for g in self.installed() if g.name[7:] == digest[:12]]
        return next((p for p in held if _whole(p, digest)), None)

    def _adopt(self, bundle: Bundle, contents: Sequence[StoredFile]) -> None:
        self.store.require_room(sum(c.bytes for c in contents if not self.store.has(c)))
        try:
            for content in contents:
                self.store.adopt(bundle.root / content.file, content)
        except TrustError as error:
            raise GenerationError(
                f"{bundle.root}: changed while it was copied; try again"
            ) from error

    def _assemble(self, contents: Sequence[StoredFile], digest: str) -> Path:
        """A new generation of hard links, verified and durable but for its name."""
        newest = max((g.counter for g in self.installed()), default=0)
        name = f"{newest + 1:06d}-{digest[:12]}"
        draft = self._gen / f".draft-{name}"
        self._disk.make_directory(draft)
        directories = {draft}
        for content in contents:
            target = draft / content.file
            for parent in reversed(target.relative_to(draft).parents[:-1]):
                self._disk.make_directory(draft / parent)
                directories.add(draft / parent)
            self._link_in(content, target)
        # Deepest first, so that a directory's name is durable only when what it holds is.
        for directory in sorted(directories, key=lambda d: -len(d.parts)):
            self._disk.sync_directory(directory)
        self._verify(draft, contents, digest)
        self._disk.rename(draft, self._gen / name)
        return self._gen / name

    def _link_in(self, content: StoredFile, target: Path) -> None:
        if not self.store.has(content):
            raise GenerationError(f"{content.file}: its content is not here; fetch it again")
        self._disk.hard_link(self.store.path(content.sha256), target)

    def _verify(self, draft: Path, contents: Sequence[StoredFile], digest: str) -> None:
        """A draft is the bundle that is pinned: the same files, nothing more, every hash right."""
        try:
            bundle = Bundle.open(draft)
            if bundle.digest != digest or not _same_files(_contents_of(bundle), contents):
                raise TrustError(Reason.BAD_RELEASE, "its files are not those of its manifest")
        except BundleError as error:
            damaged = [c for c in contents if not matches(draft / c.file, c)]
            for content in damaged:
                self.store.remove(content.sha256)
            raise TrustError(_reason(error, damaged), f"{error.problem} ({draft.name})") from error

    def _switch(self, path: Path) -> None:
        current = self.current()
        if path != current:
            # Here, not after it was made: an earlier install may have been killed just before it.
            self._disk.sync_directory(self._gen)
            if current is not None:
                self._point("previous", current)
            self._point("current", path)
        if self._target("staged") == path:  # of now, or of a switch that was cut here
            self._unlink("staged")

    def _point(self, link: str, path: Path) -> None:
        draft = self.root / f".draft-{link}"
        self._disk.remove(draft)
        self._disk.link(os.path.relpath(path, self.root), draft)
        self._disk.rename(draft, self.root / link)
        self._disk.sync_directory(self.root)

    def _unlink(self, link: str) -> None:
        self._disk.remove(self.root / link)
        self._disk.sync_directory(self.root)

    def _collect(self) -> None:
        """Remove what no link names, then contents that what is left does not hold."""
        for generation in self.installed():
            if not (generation.current or generation.previous or generation.staged):
                self._remove(generation.path)
        self.store.collect({sha for g in self.installed() for sha in _hashes(g.path)})

    def _remove(self, path: Path) -> None:
        """Under a hidden name first: never half a generation."""
        draft = self._gen / f".draft-{path.name}"
        self._disk.rename(path, draft)
        self._disk.sync_directory(self._gen)
        self._disk.remove(draft)
        self._disk.sync_directory(self._gen)

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
        except GenerationError:
            raise
        except StoreError as error:
            raise GenerationError(str(error), error.reason) from error
        except BlockingIOError as error:
            raise GenerationError(f"{self.root}: busy with another install; wait") from error
        except OSError as error:
            problem = f"{error.filename or self.root}: {error.strerror}"
            raise GenerationError(problem, disk_reason(error)) from error

    def _target(self, link: str) -> Path | None:
        try:
            name = Path(os.readlink(self.root / link)).name
        except OSError:
            return None  # not there: nothing is installed
        path = self._gen / name
        return path if _NAME.fullmatch(name) and (path / MANIFEST_NAME).is_file() else None

    def _at(self, path: Path) -> Generation:
        return next(g for g in self.installed() if g.path == path)


def _contents_of(bundle: Bundle) -> list[StoredFile]:
    size = (bundle.root / MANIFEST_NAME).stat().st_size
    manifest = StoredFile(file=MANIFEST_NAME, bytes=size, sha256=bundle.digest)
    return [manifest, *bundle.manifest.stored()]


def _same_files(one: Iterable[StoredFile], other: Iterable[StoredFile]) -> bool:
    return {(c.file, c.bytes, c.sha256) for c in one} == {
        (c.file, c.bytes, c.sha256) for c in other
    }


def _hashes(generation: Path) -> Iterator[str]:
    """Contents that a generation holds; none where it cannot be read: then it cannot run either."""
    with suppress(OSError, BundleError), (generation / MANIFEST_NAME).open("rb") as stream:
        data = stream.read(MAX_MANIFEST_BYTES + 1)
        yield hashlib.sha256(data).hexdigest()
        yield from (entry.sha256 for entry in Manifest.parse(data).stored())


def _reason(error: BundleError, damaged: Sequence[StoredFile]) -> Reason:
    if isinstance(error, RuntimeTooOld):
        return Reason.MISFIT
    return Reason.WRONG_CONTENT if damaged else Reason.BAD_RELEASE


def _whole(path: Path, digest: str | None = None) -> bool:
    """Whether a generation is undamaged, and the one of this manifest where one is given."""
    try:
        return digest in (None, Bundle.open(path).digest)
    except BundleError:
        return False
