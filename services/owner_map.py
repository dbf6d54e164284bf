"""The map of the home that ``linnet devices assign`` keeps: rooms, floors and other names.

One JSON file, written by the owner's command alone and only read by whatever opens the home. What
the settings file says of the same device or room wins over it, entry by entry.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from services.language.folding import name_form
from services.settings import Settings
from services.settings_file import Problem, SettingsError
from services.state_file import StateDamaged, StateFile

MAX_NAME = 64
"""Letters of a name, in its kept form."""
MAX_WRITTEN = 200
"""Letters of a name as it is typed."""
MAX_ALIASES = 8
READABLE = 0o644  # the daemon is another user than the one who assigns

V = TypeVar("V")


def kept_name(text: str) -> str:
    """The form in which a room, a floor or another name is kept and compared.

    Raises:
        ValueError: it cannot be said, or is too long; says which, without the text.
    """
    if len(text) > MAX_WRITTEN or not text.isprintable():
        raise ValueError(f"is no name: printable and at most {MAX_WRITTEN} letters, please")
    kept = name_form(text)
    if not kept:
        raise ValueError("has no letters that can be spoken")
    if len(kept) > MAX_NAME:
        raise ValueError(f"is too long: {len(kept)} letters when spoken, {MAX_NAME} are the most")
    return kept


Name = Annotated[str, AfterValidator(kept_name)]
EntityId = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}\.[a-z0-9_]{1,90}$")]


class OwnerMap(BaseModel):
    """The file; changes make a new one."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    areas: dict[EntityId, Name] = Field(default_factory=dict)
    """Entity id → room."""
    floors: dict[Name, Name] = Field(default_factory=dict)
    """Room → floor."""
    aliases: dict[EntityId, Annotated[tuple[Name, ...], Field(max_length=MAX_ALIASES)]] = Field(
        default_factory=dict
    )
    """Entity id → other names for it."""
    place_aliases: dict[Name, Annotated[tuple[Name, ...], Field(max_length=MAX_ALIASES)]] = Field(
        default_factory=dict
    )
    """Room or floor → other names for it."""
    groups: dict[Name, Name] = Field(default_factory=dict)
    """zigbee2mqtt group → room of its members."""

    def with_device(self, device: str, area: str | None, aliases: tuple[str, ...]) -> OwnerMap:
        """A device's room and other names; None and () leave what there is. Names are kept ones."""
        return self._with(
            areas={**self.areas, device: area} if area else self.areas,
            aliases={**self.aliases, device: aliases} if aliases else self.aliases,
        )

    def with_room(self, room: str, floor: str | None, aliases: tuple[str, ...]) -> OwnerMap:
        """A room's floor and other names; None and () leave what there is. A floor may be given
        for the room, to have other names itself."""
        kept = self.place_aliases
        return self._with(
            floors={**self.floors, room: floor} if floor else self.floors,
            place_aliases={**kept, room: aliases} if aliases else kept,
        )

    def with_group(self, group: str, room: str) -> OwnerMap:
        """The room of a group's members."""
        return self._with(groups={**self.groups, group: room})

    def without_group(self, group: str) -> OwnerMap:
        return self._with(groups=_without(self.groups, group))

    def without_device(self, device: str) -> OwnerMap:
        return self._with(
            areas=_without(self.areas, device), aliases=_without(self.aliases, device)
        )

    def without_room(self, room: str) -> OwnerMap:
        return self._with(
            floors=_without(self.floors, room), place_aliases=_without(self.place_aliases, room)
        )

    def _with(self, **tables: object) -> OwnerMap:
        # Validated, so that nothing is written that cannot be read again.
        return OwnerMap.model_validate({**dict(self), **tables})


def read_map(path: Path) -> OwnerMap:
    """What was assigned; nothing where there is no file.

    Raises:
        SettingsError: the file cannot be read or understood. Going on without it could drop the
            name that makes Linnet ask before it opens something.
    """
    try:
        return _file(path).read() or OwnerMap()
    except StateDamaged as error:
        raise _fault(path, f"{error}; mend it, or remove it and assign again") from None
    except OSError as error:
        raise _fault(path, f"cannot be read: {error.strerror}") from error


@dataclass
class Change:
    """A map on its way from one state to the next."""

    map: OwnerMap


@contextmanager
def changing(path: Path) -> Iterator[Change]:
    """The map, written durably at the end of the block unless that raises; one at a time.

    Raises:
        SettingsError: it cannot be read or written; it is as it was then.
    """
    try:
        with _alone(path.parent):
            change = Change(read_map(path))
            yield change
            _file(path).write(change.map)
    except OSError as error:
        remedy = "write as its owner (sudo), or name another file as home.map_file"
        raise _fault(path, f"cannot be written: {error.strerror}; {remedy}") from error


def with_owner_map(settings: Settings) -> Settings:
    """The settings with what was assigned under their own entries. Raises as ``read_map``."""
    home, kept = settings.home, read_map(settings.home.map_file)
    tables = {
        "areas": {**kept.areas, **home.areas},
        "floors": {**kept.floors, **home.floors},
        "aliases": {**kept.aliases, **home.aliases},
        "place_aliases": {**kept.place_aliases, **home.place_aliases},
        "groups": {**kept.groups, **home.groups},
    }
    return settings.model_copy(update={"home": home.model_copy(update=tables)})


def _without(table: Mapping[str, V], key: str) -> dict[str, V]:
    return {name: value for name, value in table.items() if name != key}


def _file(path: Path) -> StateFile[OwnerMap]:
    return StateFile(path, OwnerMap, mode=READABLE)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _fault(path: Path, why: str) -> SettingsError:
    return SettingsError([Problem(str(path), None, "", None, why)])
