"""Where the contents of a release come from: mirrors, within a budget, or a stick."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ota import transfer
from ota.errors import Reason, TransferError
from ota.fetching import fetch_release
from ota.layout import CONTENT
from ota.machine import Update
from ota.offline import OfflineSource, open_repository
from ota.release import Release
from ota.store import Store
from ota.transfer import ContentSource, HttpSource, Pace
from ota.transfer_plan import Limits
from services.ota_agent.spent import counted
from services.ota_agent.work import Cancel
from services.settings import Ota


def fetch_contents(
    ota: Ota,
    store: Store,
    update: Update,
    release: Release,
    cancel: Cancel,
    arrived: Callable[[int], None],
) -> None:
    """Bring all of a release into the store, as far as budget and metered line allow.

    Args:
        arrived: told of each piece that came over the network, by its length.

    Raises:
        TransferError, TrustError, StoreError: as ``fetch_release``.
        Stopped: it was cancelled.
    """
    stop = transfer.Cancel()
    cancel.on_cancel(stop.cancel)
    stick = Path(update.stick) if update.stick else usual_stick(ota)
    # On a stick are no deltas, and nobody pays for what comes from there.
    whole_files = ota.whole_files_after_delta or stick is not None
    try:
        with _contents(ota, stick, update, stop, arrived) as source:
            fetch_release(release, store, source, whole_files=whole_files)
    except TransferError as error:
        if error.reason is Reason.CANCELLED:
            cancel.sleep(0)  # given up: there is no outcome to tell
        raise


@contextmanager
def _contents(
    ota: Ota,
    stick: Path | None,
    update: Update,
    stop: transfer.Cancel,
    arrived: Callable[[int], None],
) -> Iterator[ContentSource]:
    if stick is not None:
        with open_repository(stick) as repository:
            yield OfflineSource(repository, stop)
        return
    bases = [base.rstrip("/") for base in (ota.repository or "", *ota.mirrors)]
    pace = Pace(rate=ota.rate_kb_s * 1000 or None)
    mirrors = [f"{base}/{CONTENT}" for base in bases]
    limits = Limits(budget=ota.budget_mb * 1_000_000 or None)
    with counted(ota.directory, update.action) as spent:

        def on_bytes(count: int) -> None:
            spent.add(count)
            arrived(count)

        yield HttpSource(
            mirrors, limits=limits, pace=pace, cancel=stop, on_bytes=on_bytes, spent=spent.bytes
        )


def usual_stick(ota: Ota) -> Path | None:
    """The directory or archive of a ``file://`` address."""
    address = urlsplit(ota.repository or "")
    return Path(unquote(address.path)) if address.scheme == "file" else None
