"""A disk that loses power.

It carries out every operation for real, and beside that keeps two images of the tree: what the
operating system shows, and what is on the platter. A file's bytes are on the platter once synced; a
change of names once its directory was synced. After a cut, any subset of the changes that were not
synced may have reached the platter: ``aftermaths`` writes each such tree out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ota.storage import Disk


class PowerCut(BaseException):
    """Not an Exception: no code under test may handle it."""


@dataclass(eq=False)
class Node:
    """A directory, file or link; ``durable`` and ``live`` hold a directory's names."""

    content: bytes | None = None
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

    ``torn``: that operation, when it is a copy or a write, leaves half a file.
    ``lying``: syncing a directory does nothing, to show that the tests would notice.
    """

    def __init__(
        self, root: Path, *, cut_at: int = 0, torn: bool = False, lying: bool = False
    ) -> None:
        self.root = root
        self.top = Node()
        self.cut_at = cut_at
        self.torn = torn
        self.lying = lying
        self.operations = 0

    def settle(self) -> None:
        """All is on the platter now; operations are counted from here."""
        for node in list(self.top.walk()):
            node.sync()
        self.operations = 0

    def aftermaths(self, make_directory: Callable[[], Path]) -> Iterator[Path]:
        """Every tree that may be found after the cut, each in a directory of its own."""
        nodes = {id(node): node for node in self.top.walk()}.values()
        waiting = [(node, names) for node in nodes for names in node.pending]
        for kept in itertools.product((False, True), repeat=len(waiting)):
            chosen = [change for change, keep in zip(waiting, kept, strict=True) if keep]
            directory = make_directory()
            _write(self.top, directory, chosen)
            yield directory

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
        if self.torn and self.operations + 1 == self.cut_at:
            half = Node(content=content[: len(content) // 2])
            self._at(target.parent).change({target.name: half})
        self._step()
        super().copy(source, target)
        self._at(target.parent).change({target.name: Node(content=content)})

    def write(self, path: Path, data: bytes) -> None:
        if self.torn and self.operations + 1 == self.cut_at:
            half = Node(content=data[: len(data) // 2])
            self._at(path.parent).change({path.name: half})
        self._step()
        super().write(path, data)
        self._at(path.parent).change({path.name: Node(content=data)})

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


def _write(node: Node, path: Path, chosen: list[tuple[Node, dict[str, Node | None]]]) -> None:
    names = dict(node.durable)
    for owner, change in chosen:
        if owner is node:
            _apply(names, change)
    for name, child in names.items():
        if child.target is not None:
            (path / name).symlink_to(child.target)
        elif child.content is not None:
            (path / name).write_bytes(child.content)
        else:
            (path / name).mkdir()
            _write(child, path / name, chosen)
