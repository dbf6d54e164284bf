"""Whose signatures are missing, and what can be published without breaking the rest. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tuf.api.metadata import Role, Root, Targets, VerificationResult

from ota.repository.roles import ONLINE
from ota.repository.shelf import AnyMetadata


@dataclass(frozen=True)
class Need:
    """Signatures that staged metadata still need from one set of keys."""

    role: str
    version: int
    signed: int
    threshold: int
    missing: tuple[str, ...]
    """Ids of keys that could still sign."""


def needs(role: str, world: Mapping[str, AnyMetadata], before: AnyMetadata | None) -> list[Need]:
    """What a role's metadata lack to hold in ``world``.

    Args:
        before: the published root, if ``role`` is a root that replaces one: both sets sign.
    """
    metadata = world[role]
    version = metadata.signed.version
    found = _results(role, world, before)
    if not found:
        return [Need(role, version, 0, 1, ())]  # nobody delegates to it (yet)
    return [
        Need(role, version, len(result.signed), result.threshold, tuple(result.unsigned))
        for result in found
        if not result
    ]


def publishable(
    current: Mapping[str, AnyMetadata], staged: Mapping[str, AnyMetadata]
) -> dict[str, AnyMetadata]:
    """The largest part of ``staged`` with which every role verifies.

    A role that lacks signatures waits. So does a delegator whose new keys would make what is
    published unverifiable: it goes out together with what those keys have signed again.
    """
    chosen = dict(staged)
    while True:
        world = {**current, **chosen}
        faulty = [r for r in world if r not in ONLINE and needs(r, world, _before(r, current))]
        drop = {role if role in chosen else delegator(role) for role in faulty} & set(chosen)
        if not drop:
            return chosen
        chosen = {role: metadata for role, metadata in chosen.items() if role not in drop}


def delegator(role: str) -> str:
    """The role whose metadata say who signs this one."""
    return "root" if role in ("root", "targets", *ONLINE) else "targets"


def _before(role: str, current: Mapping[str, AnyMetadata]) -> AnyMetadata | None:
    return current.get("root") if role == "root" else None


def _results(
    role: str, world: Mapping[str, AnyMetadata], before: AnyMetadata | None
) -> list[VerificationResult]:
    metadata = world[role]
    payload, signatures = metadata.signed_bytes, metadata.signatures
    signers = [world.get(delegator(role))]
    if before is not None and before is not metadata:
        signers.append(before)
    found = []
    for one in signers:
        if one is not None and role in signers_named(one.signed):
            found.append(one.signed.get_verification_result(role, payload, signatures))
    return found


def signers_named(by: Root | Targets) -> Mapping[str, Role]:
    """The roles that metadata name signers for, with those signers."""
    if isinstance(by, Root):
        return by.roles
    return (by.delegations.roles if by.delegations else None) or {}
