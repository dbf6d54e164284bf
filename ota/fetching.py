"""All contents of a release into the store: what is missing, by deltas where they save something.

Which way each content comes is decided first (``plan_fetch``), then carried out (``fetch_release``)
over any ``ContentSource``. A delta is never the only way: where one fails, the whole file follows,
as far as the byte budget allows.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from ota.delta import apply
from ota.errors import OtaError, Reason, TransferError, TrustError
from ota.release import Content, Delta, Release
from ota.storage import disk_refusals
from ota.store import Store
from ota.transfer import ContentSource

log = logging.getLogger(__name__)

_GOES_ON = (Reason.REFUSED, Reason.WRONG_CONTENT, Reason.UNREACHABLE, Reason.TOO_SLOW)
"""After these a whole file may succeed where its delta did not."""


@dataclass(frozen=True)
class Need:
    """A content that is missing, and the delta that makes it from one that is not."""

    content: Content
    delta: Delta | None

    @property
    def cost(self) -> int:
        """Bytes to fetch, if all goes well."""
        return self.delta.bytes if self.delta else self.content.bytes


def plan_fetch(release: Release, store: Store) -> tuple[Need, ...]:
    """What is missing, each content once, with the smallest delta whose beginning is here."""
    missing = {c.sha256: c for c in release.contents if not store.has(c)}
    return tuple(Need(c, _smallest(c, store)) for c in missing.values())


def _smallest(content: Content, store: Store) -> Delta | None:
    here = [d for d in content.deltas if store.path(d.of).is_file() and d.bytes < content.bytes]
    return min(here, key=lambda delta: delta.bytes, default=None)


def cost(needs: Iterable[Need]) -> int:
    """Bytes to fetch for all of them."""
    return sum(need.cost for need in needs)


def fetch_release(
    release: Release,
    store: Store,
    source: ContentSource,
    *,
    whole_files: bool = True,
) -> None:
    """Bring every content of a release into the store; goes on where an earlier call was cut.

    Args:
        whole_files: whether a file may follow in full after its delta failed: on a metered line
            that is for the owner to say.

    Raises:
        TransferError, TrustError: a content cannot be had, or is not what is signed.
        StoreError: no room, or the disk refuses.
    """
    with disk_refusals():
        needs = plan_fetch(release, store)
        store.want(_wanted(release, needs))
        largest = max((need.cost for need in needs if need.delta), default=0)
        store.require_room(sum(_left(need.content, store) for need in needs) + largest)
        for need in needs:
            if need.delta is None or not _by_delta(need, need.delta, store, source, whole_files):
                source.fetch(need.content, store)


def _wanted(release: Release, needs: Iterable[Need]) -> Iterable[str]:
    yield from (content.sha256 for content in release.contents)
    for need in needs:
        if need.delta:
            yield from (need.delta.sha256, need.delta.of)


def _left(content: Content, store: Store) -> int:
    return max(0, content.bytes - store.gathered(content.sha256))


def _by_delta(
    need: Need, delta: Delta, store: Store, source: ContentSource, whole_files: bool
) -> bool:
    """Whether a delta led to the content. It is not kept: nothing starts from it."""
    try:
        path = source.fetch(delta, store)
        apply(path, store.path(delta.of), need.content, store)
    except (TransferError, TrustError) as error:
        if not whole_files or error.reason not in _GOES_ON:
            raise
        log.warning("a delta failed; fetching the whole file", extra=_fields(need, error))
        return False
    finally:
        store.remove(delta.sha256)
    return True


def _fields(need: Need, error: OtaError) -> dict[str, object]:
    return {"content": need.content.sha256[:12], "reason": int(error.reason)}
