"""Changing a repository: stage, gather signatures, publish once they suffice.

A change is drafted into ``staged/``. Every key at hand signs at once; people sign the rest one by
one, on their own machines if need be, for a staged file is an ordinary file. As soon as a role has
its threshold, and nothing published would stop verifying, it goes out in the order that clients
read backwards: content, targets, snapshot, root, timestamp. A client in between sees the old
repository or the new one.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Signer
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, MetaFile, Root, Signed, Snapshot, Timestamp

from ota.repository.errors import PublishError
from ota.repository.keys import KeyFile, Passphrase, known_keys
from ota.repository.quorum import Need, delegator, needs, publishable, signers_named
from ota.repository.roles import ONLINE, ROLLOUT, first_delegate, life
from ota.repository.shelf import AnyMetadata, Shelf, root_of
from ota.storage import Storage

Change = Callable[[Signed], None]


@dataclass(frozen=True)
class Outcome:
    """What an action led to."""

    published: tuple[str, ...]
    """Files that clients find now, as ``3.targets``."""
    waiting: tuple[Need, ...]
    """Whose signatures what is staged lacks; of an online role: which key is not here."""

    def includes(self, role: str) -> bool:
        """Whether a new version of the role is out now, whatever else may wait."""
        return any(name.partition(".")[2] == role for name in self.published)


class Publisher:
    """One repository, changed by one process at a time (``working``)."""

    def __init__(
        self,
        root: Path,
        *,
        now: datetime,
        keys: Sequence[KeyFile] = (),
        passphrase: Passphrase = lambda _: b"",
        disk: Storage | None = None,
    ) -> None:
        """
        Args:
            root: directory of the repository.
            now: when this is signed.
            keys: keys to sign with beside those at hand.
        """
        self.shelf = Shelf(root, disk)
        self.now = now
        self._given, self._passphrase = tuple(keys), passphrase
        self._at_least = timedelta()
        self._signers: dict[str, Signer] = {}

    @contextmanager
    def working(self) -> Iterator[Publisher]:
        """Hold the repository's lock. Raises PublishError."""
        if not self.shelf.metadata.is_dir():
            raise PublishError(f"{self.shelf.root}: no repository here; run linnet fleet init")
        with (self.shelf.root / ".lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise PublishError(f"{self.shelf.root}: somebody else is publishing") from error
            yield self

    def world(self) -> dict[str, AnyMetadata]:
        """Every role as it will be when all that is staged is published."""
        return {**self.shelf.current(), **self.shelf.waiting()}

    def draft(self, role: str, change: Change) -> None:
        """Stage the next version of a role; one that is staged already is changed further."""
        staged = self.shelf.waiting().get(role)
        published = self.shelf.current().get(role)
        if staged and published and staged.signed.version <= published.signed.version:
            staged = None  # left by a publication that was cut off behind the new root
        metadata = staged or published or first_delegate(role, self.now)
        if staged is None and published is not None:
            metadata.signed.version += 1
        metadata.signed.expires = self._until(role)
        change(metadata.signed)
        self.stage(role, metadata)

    def stage(self, role: str, metadata: AnyMetadata) -> None:
        """Stage metadata, without the signatures of what they were before."""
        metadata.signatures.clear()
        self.shelf.stage(role, metadata)

    def sign(self, *, anyway: bool = False) -> Outcome:
        """Add what signatures can be added here, and publish what has enough.

        Args:
            anyway: give the online roles new life even where nothing else changed.
        """
        staged, current = self.shelf.waiting(), self.shelf.current()
        worlds = (current, {**current, **staged})
        for role, metadata in staged.items():
            if self._add_signatures(metadata, _signers_of(role, worlds)):
                self.shelf.stage(role, metadata)
        chosen = publishable(current, staged)
        world = {**current, **chosen}
        due = bool(chosen or anyway) and {"root", "targets"} <= set(world)
        offline = self._offline(world) if due else []
        published = self._publish(chosen) if due and not offline else ()
        return Outcome(published, (*self.needed(), *offline))

    def refresh(self, renew: Iterable[str] = ()) -> Outcome:
        """Sign the online roles again, and roll-outs in the second half of their life.

        Args:
            renew: other roles to stage with a new expiry.

        Raises:
            PublishError: one of those is no role.
        """
        current = self.shelf.current()
        due = [role for role in (ROLLOUT,) if role in current and self._aging(current[role], role)]
        for role in (*due, *renew):
            if role not in current or role in ONLINE:
                raise PublishError(f"{role!r} is no published role that could be renewed")
            self.draft(role, lambda _: None)
        return self.sign(anyway=True)

    @contextmanager
    def lasting(self, at_least: timedelta) -> Iterator[None]:
        """Inside, everything that online keys sign is out with at least this much life.

        For sticks. Afterwards it is signed again with the usual life, so that nobody online is
        shown old metadata for longer than that.

        Raises:
            PublishError: an online key is not here.
        """
        try:
            self._at_least = at_least
            self._sign_online()
            yield
        finally:
            self._at_least = timedelta()
            self._sign_online()

    def _sign_online(self) -> None:
        if ROLLOUT in self.shelf.current():
            self.draft(ROLLOUT, lambda _: None)
        outcome = self.sign(anyway=True)
        lacking = [need.role for need in outcome.waiting if need.role in (*ONLINE, ROLLOUT)]
        if lacking:
            raise PublishError(f"the keys of {', '.join(lacking)} are needed for this")

    def expiries(self) -> dict[str, str]:
        """When each published role expires: ISO 8601, by role."""
        return {r: m.signed.expires.isoformat() for r, m in self.shelf.current().items()}

    def discard(self, role: str) -> Outcome:
        """Take a staged change back. Raises PublishError where nothing of the role is staged."""
        staged = self.shelf.waiting()
        if role not in staged:
            known = ", ".join(staged) or "nothing"
            raise PublishError(f"{role!r} is not staged; staged: {known}")
        self.shelf.unstage([role])
        return Outcome((), tuple(self.needed()))

    def needed(self) -> list[Need]:
        """The signatures that staged metadata lack, or that hold them back."""
        world, root = self.world(), self.shelf.current().get("root")
        found = []
        for role in self.shelf.waiting():
            found += needs(role, world, root if role == "root" else None)
        return found

    def names(self) -> dict[str, str]:
        """Names of the known keys, by id."""
        keys = [*known_keys(self.shelf.keys), *self._given]
        return {key.keyid: key.name for key in keys}

    def _publish(self, chosen: Mapping[str, AnyMetadata]) -> tuple[str, ...]:
        world = {**self.shelf.current(), **chosen}
        root = root_of(world["root"].signed)
        snapshot, timestamp = self._online(root, world)
        files = [(role, metadata) for role, metadata in chosen.items() if role != "root"]
        files.append(("snapshot", snapshot))
        files += [("root", chosen["root"])] if "root" in chosen else []
        files.append(("timestamp", timestamp))
        for role, metadata in files:
            self.shelf.publish(role, metadata)
        self.shelf.unstage(chosen)
        return tuple(f"{metadata.signed.version}.{role}" for role, metadata in files)

    def _online(
        self, root: Root, world: Mapping[str, AnyMetadata]
    ) -> tuple[Metadata[Snapshot], Metadata[Timestamp]]:
        snapshot = Metadata(
            Snapshot(
                version=_next(world, "snapshot"),
                expires=self._until("snapshot"),
                meta={
                    f"{role}.json": MetaFile(metadata.signed.version)
                    for role, metadata in world.items()
                    if role not in ("root", *ONLINE)
                },
            )
        )
        timestamp = Metadata(
            Timestamp(
                version=_next(world, "timestamp"),
                expires=self._until("timestamp"),
                snapshot_meta=MetaFile(snapshot.signed.version),
            )
        )
        for metadata in (snapshot, timestamp):
            self._add_signatures(metadata, set(root.roles[metadata.signed.type].keyids))
        return snapshot, timestamp

    def _offline(self, world: Mapping[str, AnyMetadata]) -> list[Need]:
        """The online roles that cannot be signed here, so that nothing can be published."""
        found = []
        for name in ONLINE:
            role = root_of(world["root"].signed).roles[name]
            here = len(self._hand(set(role.keyids)))
            if here < role.threshold:
                version = _next(world, name)
                found.append(Need(name, version, here, role.threshold, tuple(role.keyids)))
        return found

    def _add_signatures(self, metadata: AnyMetadata, keyids: set[str]) -> bool:
        """Sign with every key given or at hand that is among ``keyids``; whether any was new."""
        wanted = [key for key in self._hand(keyids) if key.keyid not in metadata.signatures]
        for key in wanted:
            # Once for each key: a passphrase is asked for, or a token is touched.
            if key.keyid not in self._signers:
                self._signers[key.keyid] = key.signer(self._passphrase)
            _sign(metadata, key, self._signers[key.keyid])
        return bool(wanted)

    def _hand(self, keyids: set[str]) -> list[KeyFile]:
        """The keys among ``keyids`` that can sign now."""
        hand = [key for key in known_keys(self.shelf.keys) if key.at_hand]
        keys = {key.keyid: key for key in (*hand, *self._given)}
        return [key for key in keys.values() if key.keyid in keyids]

    def _aging(self, metadata: AnyMetadata, role: str) -> bool:
        left: timedelta = metadata.signed.expires - self.now
        return left < life(role) / 2

    def _until(self, role: str) -> datetime:
        lasting = role in (*ONLINE, ROLLOUT)
        given = max(life(role), self._at_least) if lasting else life(role)
        return (self.now + given).replace(microsecond=0)


def _signers_of(role: str, worlds: Iterable[Mapping[str, AnyMetadata]]) -> set[str]:
    """Ids of keys that may sign a role: before what is staged is out, or after."""
    found: set[str] = set()
    for world in worlds:
        by = world.get(delegator(role))
        roles = signers_named(by.signed) if by is not None else {}
        found |= set(roles[role].keyids) if role in roles else set()
    return found


def _next(world: Mapping[str, AnyMetadata], role: str) -> int:
    return world[role].signed.version + 1 if role in world else 1


def _sign(metadata: AnyMetadata, key: KeyFile, signer: Signer) -> None:
    """Add a key's signature. Raises PublishError where the key does not give one that holds."""
    try:
        signature = metadata.sign(signer, append=True)
        # A token or a cloud may hold another key than the public half says.
        key.key.verify_signature(signature, metadata.signed_bytes)
    except (UnsignedMetadataError, UnverifiedSignatureError) as error:
        metadata.signatures.pop(key.keyid, None)
        raise key.unusable(error.__cause__ or error) from error
