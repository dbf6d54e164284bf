"""Founding a repository: its first root and targets, and the keys that sign them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ota.repository.errors import PublishError
from ota.repository.keys import KeyFile, keep_public, known_keys, make_key
from ota.repository.publisher import Outcome, Publisher
from ota.repository.roles import (
    ROLLOUT,
    Quorum,
    checked_class,
    delegate_class,
    first_delegate,
    first_root,
    first_targets,
    majority,
)
from ota.repository.shelf import targets_of

SMALL = ("root", "targets", "release", "online")
"""The keys of a repository that one person keeps."""


@dataclass(frozen=True)
class Signers:
    """Keys of one role, and how many of them have to sign; None: the usual number."""

    keys: tuple[KeyFile, ...]
    threshold: int | None = None

    def quorum(self, role: str, *, everyone: bool = False) -> Quorum:
        """Raises PublishError where so many cannot sign."""
        usual = len(self.keys) if everyone else majority(len(self.keys))
        threshold = usual if self.threshold is None else self.threshold
        return Quorum.of(role, (key.key for key in self.keys), threshold)


@dataclass(frozen=True)
class Founders:
    """Who signs what in a new repository."""

    root: Signers
    targets: Signers
    online: Signers
    rollout: Signers
    classes: Mapping[str, Signers]

    @property
    def keys(self) -> list[KeyFile]:
        """Every key."""
        roles = (self.root, self.targets, self.online, self.rollout, *self.classes.values())
        return [key for signers in roles for key in signers.keys]


def small_keys(publisher: Publisher) -> dict[str, Signers]:
    """Keys for one person, in the repository's own ``keys/``: 1 of 1 for all.

    Those that an attempt before has made are taken again.
    """
    directory = publisher.shelf.keys
    known = {key.name: key for key in known_keys(directory)}
    return {name: Signers((known.get(name) or make_key(directory, name),)) for name in SMALL}


def check_new(publisher: Publisher, classes: Iterable[str]) -> None:
    """Raises PublishError where a repository is already, or a class cannot be one."""
    if publisher.shelf.current() or publisher.shelf.waiting():
        raise PublishError(f"{publisher.shelf.root}: there is a repository already")
    for name in classes:
        checked_class(name)


def found(publisher: Publisher, founders: Founders) -> Outcome:
    """Stage the first root, targets and empty classes; sign and publish as far as keys are here.

    Raises:
        PublishError: there is a repository already, or a threshold cannot be reached.
    """
    check_new(publisher, founders.classes)
    now = publisher.now.replace(microsecond=0)
    online = founders.online.quorum("online")
    top = {
        "root": founders.root.quorum("root"),
        "targets": founders.targets.quorum("targets"),
        "snapshot": online,
        "timestamp": online,
    }
    targets = first_targets(founders.rollout.quorum(ROLLOUT), now)
    for name, signers in founders.classes.items():
        delegate_class(targets.signed, name, signers.quorum(name, everyone=True))
    keep_public(publisher.shelf.keys, founders.keys)
    publisher.stage("root", first_root(top, now))
    publisher.stage("targets", targets)
    for name in (*founders.classes, ROLLOUT):
        publisher.stage(name, first_delegate(name, now))
    return publisher.sign()


def set_class(publisher: Publisher, name: str, signers: Signers) -> Outcome:
    """Add a device class, or change who signs its releases. Raises PublishError."""
    quorum = signers.quorum(name, everyone=True)
    keep_public(publisher.shelf.keys, signers.keys)
    publisher.draft("targets", lambda signed: delegate_class(targets_of(signed), name, quorum))
    publisher.draft(name, lambda _: None)
    return publisher.sign()
