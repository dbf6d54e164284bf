"""Taking a key's power away, and giving it to another one."""

from __future__ import annotations

from collections.abc import Mapping

from securesystemslib.signer import Key
from tuf.api.metadata import Role, Root, Signed, Targets

from ota.repository.errors import PublishError
from ota.repository.keys import KeyFile, keep_public
from ota.repository.publisher import Outcome, Publisher
from ota.repository.quorum import signers_named
from ota.repository.roles import ONLINE
from ota.repository.shelf import root_of, targets_of


def revoke(publisher: Publisher, keyid: str, replacement: KeyFile | None = None) -> Outcome:
    """Revoke a key wherever it may sign, and let a replacement sign there instead.

    A root that changes is signed by the old keys and by the new. What the key helped to sign is
    staged again, so that it no longer leans on it.

    Raises:
        PublishError: no role has this key, or one would be left with too few.
    """
    world = publisher.world()
    if not {"root", "targets"} <= set(world):
        raise PublishError(f"{publisher.shelf.root}: no repository here; run linnet fleet init")
    root, targets = root_of(world["root"].signed), targets_of(world["targets"].signed)
    top, delegated = _roles_with(root, keyid), _roles_with(targets, keyid)
    if not top and not delegated:
        raise PublishError("no role has this key")
    new = replacement.key if replacement else None
    for by in (root, targets):
        _check_enough(signers_named(by), keyid, new)
    if replacement:
        keep_public(publisher.shelf.keys, [replacement])
    if top:
        publisher.draft("root", lambda signed: _exchange(signed, top, keyid, new))
    if delegated:
        publisher.draft("targets", lambda signed: _exchange(signed, delegated, keyid, new))
    for role in [role for role in (*top, *delegated) if role not in ("root", *ONLINE)]:
        if role != "targets" or not delegated:  # drafted above already
            publisher.draft(role, lambda _: None)
    return publisher.sign()


def _roles_with(by: Root | Targets, keyid: str) -> list[str]:
    return [name for name, role in signers_named(by).items() if keyid in role.keyids]


def _check_enough(roles: Mapping[str, Role], keyid: str, new: Key | None) -> None:
    for name, role in roles.items():
        if keyid in role.keyids:
            left = {one for one in role.keyids if one != keyid} | ({new.keyid} if new else set())
            if len(left) < role.threshold:
                raise PublishError(
                    f"{name}: {len(left)} keys would be left, {role.threshold} have to sign; "
                    "name a new key with --replace"
                )


def _exchange(signed: Signed, roles: list[str], keyid: str, new: Key | None) -> None:
    if isinstance(signed, Root | Targets):
        for role in roles:
            signed.revoke_key(keyid, role)
            if new is not None:
                signed.add_key(new, role)
