"""The floor: what this device has seen and will not go below, whatever became of its metadata.

TUF clients know the newest metadata by the copies they keep. Where a power cut or a worn card
empties those, an older repository would be taken for the newest. The floor is a file of its own,
written durably, so that both have to be lost before an old repository looks new.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from ota.errors import Reason, TrustError
from ota.release import Counter, DeviceClass
from ota.storage import Disk, Storage, replace_file

log = logging.getLogger(__name__)

MAX_BYTES = 2**16
TIME_STEP = timedelta(hours=1)
"""A later last good time alone is written this rarely: flash wears."""

Online = Literal["timestamp", "snapshot"]
"""The roles that are signed again every day, by keys that are online."""

_Version = Annotated[int, Field(strict=True, ge=1)]
_KeyId = Annotated[str, Field(max_length=128)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Seen(_Frozen):
    """A version of an online role, and the keys that could sign the role then."""

    version: _Version
    keyids: tuple[_KeyId, ...] = Field(max_length=64)


class Floor(_Frozen):
    """What was verified last. A fresh device has the empty floor."""

    format: Literal[1] = 1
    root: int = Field(default=0, strict=True, ge=0)
    roles: dict[Online, Seen] = Field(default_factory=dict)
    time: AwareDatetime | None = None
    """The last time at which everything verified was valid."""
    releases: dict[DeviceClass, Counter] = Field(default_factory=dict, max_length=64)
    """By class: counter of the newest release that was committed here."""

    def refusal(self, role: str, version: int, keyids: Iterable[str]) -> str | None:
        """Why this version of a role must not be believed; None where it may.

        Keys that were all replaced lift the floor of their role. Nothing that the old keys signed
        verifies any more, and this is how a repository recovers from a fast-forward attack.
        """
        if role == "root":
            return _older(version, self.root)
        seen = next((seen for name, seen in self.roles.items() if name == role), None)
        if seen is None or set(seen.keyids).isdisjoint(keyids):
            return None
        return _older(version, seen.version)

    def raised(self, root: int, roles: Mapping[Online, Seen], time: datetime) -> Floor:
        """The floor after a refresh in which all of this was verified."""
        later = time if self.time is None or time > self.time else self.time
        return self.model_copy(update={"root": root, "roles": dict(roles), "time": later})

    def committed(self, device_class: str, counter: int) -> Floor:
        """The floor after a release was committed; never lower."""
        newest = max(counter, self.releases.get(device_class, 0))
        return self.model_copy(update={"releases": {**self.releases, device_class: newest}})


def accept(counter: int, floor: int, downgrade_to: int | None = None) -> None:
    """Whether a release may be installed over what was committed.

    Args:
        counter: the release's.
        floor: of the newest release committed here; 0 where none was.
        downgrade_to: the one lower counter that the signed roll-out allows.

    Raises:
        TrustError: TOO_OLD.
    """
    if counter < floor and counter != downgrade_to:
        raise TrustError(
            Reason.TOO_OLD,
            f"release counter {counter} is below {floor}, and no signed roll-out goes back to it",
        )


class FloorFile:
    """The floor on disk."""

    def __init__(self, path: Path, disk: Storage | None = None) -> None:
        self._path, self._disk = path, disk or Disk()

    def read(self) -> Floor:
        """The floor; the empty one where there is none that can be understood.

        A damaged file cannot come from a power cut, and whoever can damage it could remove it:
        refusing would only turn a bad sector into a device that never updates again. The kept
        metadata still guards against rollback. Raises OSError.
        """
        try:
            with self._path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
            return Floor.model_validate_json(data)
        except FileNotFoundError:
            return Floor()
        except ValidationError:
            log.error("floor is damaged; starting from the metadata", extra={"path": self._path})
            return Floor()

    def write(self, floor: Floor) -> None:
        """Write it durably, unless only the time went on and not by much. Raises OSError."""
        before = self.read()
        alike = before.model_copy(update={"time": floor.time}) == floor
        if alike and before.time and floor.time and floor.time - before.time < TIME_STEP:
            return
        replace_file(self._disk, self._path, floor.model_dump_json(indent=1).encode())


def _older(version: int, floor: int) -> str | None:
    return f"version {version} is older than {floor}, seen before" if version < floor else None
