"""The roles of a fleet's repository: who may sign what, and for how long it holds.

    root ── targets ── <device class>   models/<class>/*/*     release signers
       │           └── rollout          rollout/*.json         online
       └── snapshot, timestamp                                 online

Each device class is a terminating delegation of its own, so its signers can sign nothing else and
nobody else's releases are looked for in their place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import TypeAdapter, ValidationError
from securesystemslib.signer import Key
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, Role, Root, Targets

from ota.release import DeviceClass
from ota.repository.errors import PublishError

ROLLOUT = "rollout"
ONLINE = ("snapshot", "timestamp")
RESERVED = ("root", "targets", ROLLOUT, *ONLINE)
"""Roles that are not a device class."""

_LIFE = {
    "root": timedelta(days=365),
    "targets": timedelta(days=180),
    ROLLOUT: timedelta(days=7),
    "snapshot": timedelta(days=7),
    "timestamp": timedelta(days=1),
}
_CLASS_LIFE = timedelta(days=90)


@dataclass(frozen=True)
class Quorum:
    """So many of these keys have to sign."""

    keys: tuple[Key, ...]
    threshold: int

    @classmethod
    def of(cls, what: str, keys: Iterable[Key], threshold: int) -> Quorum:
        """A quorum that can be reached.

        Raises:
            PublishError: there are fewer keys than have to sign, or none.
        """
        unique = {key.keyid: key for key in keys}
        if not 1 <= threshold <= len(unique):
            raise PublishError(f"{what}: {threshold} of {len(unique)} keys cannot sign")
        return cls(tuple(unique.values()), threshold)


def life(role: str) -> timedelta:
    """How long a signed version of the role holds."""
    return _LIFE.get(role, _CLASS_LIFE)


def majority(keys: int) -> int:
    """The usual threshold: 3 of 5, 2 of 3, 1 of 1."""
    return keys // 2 + 1


def first_root(quorums: Mapping[str, Quorum], now: datetime) -> Metadata[Root]:
    """An unsigned first root, from the quorums of the four top roles."""
    root = Root(version=1, expires=now + life("root"), consistent_snapshot=True)
    for role, quorum in quorums.items():
        # The threshold first: python-tuf holds it against the keys only when it verifies.
        root.roles[role] = Role([], quorum.threshold)
        for key in quorum.keys:
            root.add_key(key, role)
    return Metadata(root)


def first_targets(rollout: Quorum, now: datetime) -> Metadata[Targets]:
    """Unsigned top-level targets: they delegate, and name no file themselves."""
    targets = Targets(version=1, expires=now + life("targets"), delegations=Delegations({}, {}))
    _delegate(targets, ROLLOUT, f"{ROLLOUT}/*.json", rollout)
    return Metadata(targets)


def first_delegate(role: str, now: datetime) -> Metadata[Targets]:
    """An unsigned, empty delegated role."""
    return Metadata(Targets(version=1, expires=now + life(role)))


def delegate_class(targets: Targets, device_class: str, quorum: Quorum) -> None:
    """Let a quorum sign the releases of a class, instead of whoever did before.

    Raises:
        PublishError: the class's name cannot be one.
    """
    _delegate(targets, checked_class(device_class), f"models/{device_class}/*/*", quorum)


def checked_class(name: str) -> str:
    """The name, if a class may have it. Raises PublishError."""
    try:
        TypeAdapter(DeviceClass).validate_python(name)
    except ValidationError as error:
        raise PublishError(f"{name!r} cannot be a class: a-z, 0-9 and - only") from error
    if name in RESERVED:
        raise PublishError(f"{name!r} cannot be a class: TUF has a role of that name")
    return name


def classes(targets: Targets) -> list[str]:
    """The device classes that are delegated."""
    roles = (targets.delegations.roles if targets.delegations else None) or {}
    return [name for name in roles if name != ROLLOUT]


def _delegate(targets: Targets, name: str, path: str, quorum: Quorum) -> None:
    found = targets.delegations
    if found is None or found.roles is None:
        raise PublishError("targets: delegates nothing; not a repository made by Linnet")
    for keyid in list(found.roles[name].keyids) if name in found.roles else []:
        targets.revoke_key(keyid, name)
    role = DelegatedRole(name, [], quorum.threshold, terminating=True, paths=[path])
    found.roles[name] = role
    for key in quorum.keys:
        targets.add_key(key, name)
