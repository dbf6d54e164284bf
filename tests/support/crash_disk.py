"""A disk that loses power.

It carries out every operation for real, and beside that keeps two images of the tree: what the
operating system shows, and what is on the platter. A file's bytes are on the platter once synced; a
change of names once its directory was synced. After a cut, any subset of the writes and changes of
names that were not synced may have reached the platter: ``aftermaths`` writes each such tree out.
``every_cut`` does so for a cut in each operation of a story.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ota.storage import Disk

Write = tuple[int, bytes]
"""Bytes at an offset of a file, not yet on the platter."""


MOST_WAITING = 10


class PowerCut(BaseException):
    """Not an Exception: no code under test may handle it."""


@dataclass(eq=False)
class Node:
    """A directory, file or link; ``durable`` and ``live`` hold a directory's names.

    A file's ``content`` is on the platter; ``writes`` come on top of it.
    """

    content: bytes | None = None
    writes: list[Write] = field(default_factory=list)
    target: str | None = None
    durable: dict[str, Node] = field(default_factory=dict)
    live: dict[str, Node] = field(default_factory=dict)
    pending: list[dict[str, Node | None]] = field(default_factory=list)

    @property
    def is_directory(self) -> bool:
        return self.content is None and self.target is None

    def change(self, names: dict[str, Node | None]) -> None:
        """One atomic change of names, not yet on the platter."""
        _apply(self.live, names)
        self.pending.append(names)

    def sync(self) -> None:
        for names in self.pending:
            _apply(self.durable, names)
        self.pending.clear()
        if self.content is not None:
            self.content = _overlaid(self.content, self.writes)
            self.writes.clear()

    def walk(self) -> Iterator[Node]:
        """This directory and all that it shows or once showed."""
        yield self
        children = [*self.durable.values(), *self.live.values()]
        for names in self.pending:
            children += [node for node in names.values() if node]
        for node in {id(child): child for child in children}.values():
            yield from node.walk()


class CrashDisk(Disk):
    """``cut_at``: the number, from 1, of the operation that power is cut in; 0 for never.

    ``torn``: that operation, when it writes bytes, leaves half of them. ``lying``: syncing a
    directory does nothing; ``lying_files``: nor does syncing a file; both to show that the tests
    would notice.
    """

    def __init__(
        self,
        root: Path,
        *,
        cut_at: int = 0,
        torn: bool = False,
        lying: bool = False,
        lying_files: bool = False,
    ) -> None:
        self.root = root
        self.top = Node()
        self.cut_at = cut_at
        self.torn = torn
        self.lying, self.lying_files = lying, lying_files
        self.operations = 0

    def settle(self) -> None:
        """All is on the platter now; operations are counted from here."""
        for node in list(self.top.walk()):
            node.sync()
        self.operations = 0

    def aftermaths(self, make_directory: Callable[[], Path]) -> Iterator[Path]:
        """Every tree that may be found after the cut, each in a directory of its own."""
        nodes = {id(node): node for node in self.top.walk()}.values()
        waiting = [(node, change) for node in nodes for change in (*node.pending, *node.writes)]
        for kept in self._survivors(len(waiting)):
            chosen = [change for change, keep in zip(waiting, kept, strict=True) if keep]
            directory = make_directory()
            _write(self.top, directory, chosen)
            yield directory

    def _survivors(self, waiting: int) -> Iterator[tuple[bool, ...]]:
        """Which of the changes that wait survive: every subset.

        On a disk that lies too many wait for that. It only has to be caught once: what came before
        any moment, and each change lost alone.
        """
        if not (self.lying or self.lying_files):
            assert waiting <= MOST_WAITING, "the code under test leaves too much unsynced"
            yield from itertools.product((False, True), repeat=waiting)
            return
        for n in range(waiting + 1):
            yield (True,) * n + (False,) * (waiting - n)
        for n in range(waiting):
            yield (True,) * n + (False,) + (True,) * (waiting - n - 1)

    def make_directory(self, path: Path) -> None:
        self._step()
        if not path.exists():
            super().make_directory(path)
            parts = path.relative_to(self.root).parts
            for depth in range(1, len(parts) + 1):
                parent = self._at(self.root.joinpath(*parts[: depth - 1]))
                if parts[depth - 1] not in parent.live:
                    parent.change({parts[depth - 1]: Node()})

    def copy(self, source: Path, target: Path) -> None:
        content = source.read_bytes()
        self._begin(target, content)
        super().copy(source, target)
        self._put(target, content)

    def write(self, path: Path, data: bytes) -> None:
        self._begin(path, data)
        super().write(path, data)
        self._put(path, data)

    def append(self, path: Path, data: bytes) -> None:
        parent = self._at(path.parent)
        if path.name not in parent.live:
            self._step()
            parent.change({path.name: Node(content=b"")})
        node = parent.live[path.name]
        at = path.stat().st_size if path.exists() else 0
        if self.torn and self.operations + 1 == self.cut_at:
            node.writes.append((at, data[: len(data) // 2]))
        self._step()
        super().append(path, data)
        node.writes.append((at, data))

    def seal(self, path: Path) -> None:
        self._step()
        super().seal(path)
        if not self.lying_files:
            self._at(path).sync()

    def rename(self, source: Path, target: Path) -> None:
        self._step()
        super().rename(source, target)
        assert source.parent == target.parent
        parent = self._at(source.parent)
        parent.change({source.name: None, target.name: parent.live[source.name]})

    def link(self, target: str, path: Path) -> None:
        self._step()
        super().link(target, path)
        self._at(path.parent).change({path.name: Node(target=target)})

    def hard_link(self, source: Path, target: Path) -> None:
        self._step()
        super().hard_link(source, target)
        self._at(target.parent).change({target.name: self._at(source)})

    def remove(self, path: Path) -> None:
        self._step()
        if path.is_symlink() or path.exists():
            super().remove(path)
            for directory in self._at(path).walk():
                for name in list(directory.live):
                    directory.change({name: None})
            self._at(path.parent).change({path.name: None})

    def sync_directory(self, path: Path) -> None:
        self._step()
        super().sync_directory(path)
        if not self.lying:
            self._at(path).sync()

    def _begin(self, target: Path, content: bytes) -> None:
        if self.torn and self.operations + 1 == self.cut_at:
            self._at(target.parent).change(
                {target.name: Node(content=content[: len(content) // 2])}
            )
        self._step()

    def _put(self, target: Path, content: bytes) -> None:
        node = Node(content=b"", writes=[(0, content)])
        self._at(target.parent).change({target.name: node})
        if not self.lying_files:
            node.sync()

    def _step(self) -> None:
        self.operations += 1
        if self.operations == self.cut_at:
            raise PowerCut

    def _at(self, path: Path) -> Node:
        node = self.top
        for name in path.relative_to(self.root).parts:
            node = node.live[name]
        return node


def _apply(names: dict[str, Node], change: dict[str, Node | None]) -> None:
    for name, node in change.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def _overlaid(content: bytes, writes: Iterable[Write]) -> bytes:
    """What a file reads as; a hole, where an earlier write was lost, as zeros."""
    found = bytearray(content)
    for at, data in writes:
        found.extend(bytes(max(0, at - len(found))))
        found[at : at + len(data)] = data
    return bytes(found)


def _write(
    node: Node, path: Path, chosen: Sequence[tuple[Node, dict[str, Node | None] | Write]]
) -> None:
    names = dict(node.durable)
    for owner, change in chosen:
        if owner is node and isinstance(change, dict):
            _apply(names, change)
    for name, child in names.items():
        if child.target is not None:
            (path / name).symlink_to(child.target)
        elif child.content is not None:
            kept = [c for owner, c in chosen if owner is child and isinstance(c, tuple)]
            (path / name).write_bytes(_overlaid(child.content, kept))
        else:
            (path / name).mkdir()
            _write(child, path / name, chosen)


def every_cut(
    story: Callable[[CrashDisk], object],
    prepare: Callable[[CrashDisk], object],
    directory: Path,
    *,
    lying: bool = False,
    lying_files: bool = False,
) -> Iterator[Path]:
    """Every tree that a cut in any operation of ``story`` may leave; ends when it completes.

    Args:
        story: what is cut, on a disk whose root is ``disk.root``.
        prepare: what happened before, all of it on the platter.
        directory: where the trees are written, each in a directory of its own.
    """
    number = itertools.count()

    def fresh() -> Path:
        path = directory / f"disk-{next(number)}"
        path.mkdir()
        return path

    for cut_at, torn in ((n, t) for n in itertools.count(1) for t in (False, True)):
        disk = CrashDisk(fresh())
        prepare(disk)
        disk.settle()
        disk.cut_at, disk.torn = cut_at, torn
        disk.lying, disk.lying_files = lying, lying_files
        try:
            story(disk)
        except PowerCut:
            yield from disk.aftermaths(fresh)
        else:
            yield from disk.aftermaths(fresh)
            return
