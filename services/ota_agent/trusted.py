"""The chain of trust for several threads of one agent, and the release it has accepted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from ota.errors import OtaError, Reason, StoreError, TransferError, TrustError
from ota.release import MAX_RELEASE_BYTES, Release
from ota.rollout.rollout import Rollout
from ota.rollout.waves import leads_on
from ota.storage import Disk, Storage, replace_file
from ota.trust.client import Trust

log = logging.getLogger(__name__)

FILE_NAME = "release.json"


@dataclass(frozen=True)
class Vouched:
    """What the newest metadata say of a target."""

    release: Release
    rollout: Rollout | None
    floor: int
    """Counter of the newest release that was committed here; 0: none."""


OnStick = Callable[[Path], AbstractContextManager[Trust]]


class Trusted:
    """One view of the repository at a time; a second caller waits for the first.

    What is only read from the floor waits for nobody: its file is replaced whole.
    """

    def __init__(
        self,
        here: Trust,
        reaching: Callable[[], AbstractContextManager[Trust]],
        device_class: str,
        on_stick: OnStick | None = None,
    ) -> None:
        """
        Args:
            here: reads and raises the floor, for which no repository is needed.
            reaching: the same with the repository within reach: a stick may have to be opened.
            on_stick: the same with another repository within reach, which the owner has brought.
        """
        self._lock = threading.Lock()
        self._here, self._reaching, self._class = here, reaching, device_class
        self._on_stick = on_stick
        self._offered: Release | None = None

    def at(self, stick: str) -> Trusted:
        """The same chain of trust, floor and lock, of what lies on a stick; itself for ``""``.

        Raises:
            TransferError: no stick may be used here.
        """
        if not stick:
            return self
        reaching = self._on_stick
        if reaching is None:
            raise TransferError(Reason.REFUSED, "no stick can be used here")
        other = Trusted(self._here, lambda: reaching(Path(stick)), self._class)
        other._lock = self._lock
        return other

    def vouch(self, target: str) -> Vouched:
        """Fetch what is newest, and the release that a target names.

        Raises:
            OtaError: as ``Trust``; TOO_OLD where it is below the floor.
        """
        with self._lock, self._reaching() as trust:
            trust.refresh()
            release = trust.release(target)
            rollout = trust.rollout(self._class)
            trust.accept(release, rollout)
            return Vouched(release, rollout, trust.floor().releases.get(self._class, 0))

    def rollout(self) -> Rollout | None:
        """The newest roll-out of this device's class. Raises as ``vouch``."""
        with self._lock, self._reaching() as trust:
            trust.refresh()
            rollout = trust.rollout(self._class)
            self._offered = self._named(trust, rollout)
            return rollout

    def newest(self) -> str | None:
        """Target of the newest roll-out. Raises as ``vouch``."""
        found = self.rollout()
        return found.target if found else None

    def offered(self) -> Release | None:
        """What the roll-out that was fetched last leads to, its wave open or not; no network."""
        return self._offered

    def _named(self, trust: Trust, rollout: Rollout | None) -> Release | None:
        """The release of a roll-out, where the owner could have it. The roll-out stands without."""
        floor = trust.floor().releases.get(self._class, 0)
        if rollout is None or not leads_on(rollout, floor):
            return None
        try:
            return trust.release(rollout.target)
        except OtaError as error:
            log.warning("not offered", extra={"reason": str(error)[:300]})
            return None

    def committed(self, release: Release) -> None:
        """Raise the floor. Raises as ``vouch``."""
        with self._lock:
            self._here.committed(release)
            if self._offered is not None and self._offered.counter <= release.counter:
                # It leads on from here no more, unless what is fetched next says so.
                self._offered = None

    def running(self) -> int | None:
        """Counter of the newest release that was committed here. Raises StoreError."""
        return self._here.floor().releases.get(self._class)

    def versions(self) -> tuple[int | None, int | None]:
        """Of the newest root and timestamp that were verified here. Raises StoreError."""
        floor = self._here.floor()
        seen = floor.roles.get("timestamp")
        return floor.root or None, seen.version if seen else None


class AcceptedRelease:
    """The release that the update under way is about: kept, so that its trial needs no network."""

    def __init__(self, folder: Path, disk: Storage | None = None) -> None:
        self._path, self._disk = folder / FILE_NAME, disk or Disk()

    def keep(self, release: Release) -> None:
        """Durable on return. Raises OSError."""
        replace_file(self._disk, self._path, release.model_dump_json().encode())

    def read(self, target: str) -> Release:
        """The one that was kept for this target.

        Raises:
            StoreError: there is none.
        """
        try:
            with self._path.open("rb") as file:
                return Release.parse(file.read(MAX_RELEASE_BYTES + 1), target)
        except (OSError, TrustError) as error:
            problem = "the accepted release cannot be read again"
            raise StoreError(Reason.DISK, problem) from error
