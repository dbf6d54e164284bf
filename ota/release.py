"""What a publisher signs: ``release.json``, the one TUF target that an assignment points at.

It pins a bundle file by file, and says which devices it is for and how well it has to do in their
health gate. The files lie beside it by content: ``content/<sha256>``, deltas too, so that a
release shares with the one before what did not change, on the server and on the device.

    models/<device class>/<release>/release.json     signed (TUF)
    content/<sha256>                                 immutable, pinned by release.json

Every number, text and list is bounded: a hostile release file costs no more than its megabyte.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from device.bundle import MANIFEST_NAME, StoredFile
from ota.errors import Reason, TrustError

MAX_RELEASE_BYTES = 2**20
MAX_CONTENTS = 320  # a bundle's parts, files and manifest

DeviceClass = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")]
"""Devices that take the same releases: ``orin-nano-jp6``, ``pc-x86-64``."""
ReleaseName = Annotated[str, Field(pattern=r"^[0-9]{1,6}(\.[0-9]{1,6}){1,3}$")]
Version = ReleaseName
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$")]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Counter = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]

_TARGET = re.compile(r"models/([a-z0-9][a-z0-9-]{0,47})/([0-9.]{3,27})/release\.json")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Delta(_Frozen):
    """A way to make a file from one that a device may have; never the only way."""

    of: Hash
    """SHA-256 of the file that it starts from."""
    sha256: Hash
    """SHA-256 of the delta itself, which lies at ``content/<sha256>``."""
    bytes: int = Field(strict=True, ge=1, le=2**35)


class Content(StoredFile):
    """A file of the bundle, and the deltas that lead to it."""

    deltas: tuple[Delta, ...] = Field(default=(), max_length=8)


class Compat(_Frozen):
    """The devices of the class that the release fits. Empty lists fit any."""

    boards: tuple[Word, ...] = Field(default=(), max_length=32)
    sm: tuple[Annotated[int, Field(strict=True, ge=50, le=999)], ...] = Field(
        default=(), max_length=32
    )
    l4t: tuple[Version, Version] | None = None
    """First and last Jetson Linux it runs on."""
    memory_mb: int = Field(default=1, strict=True, ge=1, le=2**20)
    minimum_app: Version = "0.0"
    """The oldest Linnet that can run it."""


class Gate(_Frozen):
    """How well the release has to do on each device before it is kept."""

    utterance: str | None = Field(default=None, max_length=512)
    """A recording among the contents: wake word, then a command. None: only loading is proved."""
    call: str | None = Field(default=None, max_length=4096)
    """The call it must give, as the bench prints one: ``HassTurnOn {"name": "lamp"}``."""
    slower: float = Field(default=1.2, ge=1, le=10)
    """p95 of first audio, as a multiple of the release before on the same device."""
    max_wer: float = Field(default=0.75, ge=0, le=1)
    """Most word errors for each word of the reply, as the judge of speech there hears it."""
    seconds: float = Field(default=600, gt=0, le=3600)
    """All of the gate in this time."""
    soak_turns: int = Field(default=3, strict=True, ge=0, le=1000)
    soak_seconds: float = Field(default=3600, ge=0, le=7 * 86400)
    """Kept after this many real turns or this long, whichever comes first."""


class Facts(_Frozen):
    """What this device is, to be held against ``Compat``."""

    device_class: DeviceClass
    board: Word = "pc"
    sm: int | None = None
    l4t: Version | None = None
    memory_mb: int
    app: Version


class Release(_Frozen):
    """One signed release for one class of devices."""

    format: Literal[1] = 1
    device_class: DeviceClass
    release: ReleaseName
    counter: Counter
    """Grows with every release of the class; what stops an old one from coming back."""
    compat: Compat = Compat()
    gate: Gate = Gate()
    contents: tuple[Content, ...] = Field(min_length=1, max_length=MAX_CONTENTS)
    notes: str = Field(default="", max_length=255)
    """For the owner's eyes: what is new."""

    @field_validator("contents")
    @classmethod
    def _one_bundle(cls, contents: tuple[Content, ...]) -> tuple[Content, ...]:
        names = [one.file for one in contents]
        if len(set(names)) < len(names):
            raise ValueError("a file is listed twice")
        if MANIFEST_NAME not in names:
            raise ValueError(f"no {MANIFEST_NAME} among the contents")
        return contents

    @model_validator(mode="after")
    def _gate_is_inside(self) -> Release:
        if self.gate.utterance and self.gate.utterance not in {one.file for one in self.contents}:
            raise ValueError("gate.utterance is not among the contents")
        return self

    @property
    def target(self) -> str:
        """Its TUF target path."""
        return f"models/{self.device_class}/{self.release}/release.json"

    @property
    def size(self) -> int:
        """Bytes that it takes on disk."""
        return sum(one.bytes for one in self.contents)

    def misfit(self, facts: Facts) -> str | None:
        """Why it must not run on this device; None where it may."""
        want = self.compat
        if self.device_class != facts.device_class:
            return f"made for {self.device_class}, this is {facts.device_class}"
        if want.boards and facts.board not in want.boards:
            return f"made for {', '.join(want.boards)}, this is {facts.board}"
        if want.sm and facts.sm not in want.sm:
            return f"made for SM {', '.join(map(str, want.sm))}, this is {facts.sm}"
        if want.l4t and not (facts.l4t and _between(facts.l4t, *want.l4t)):
            return f"needs Jetson Linux {want.l4t[0]} to {want.l4t[1]}, this is {facts.l4t}"
        if facts.memory_mb < want.memory_mb:
            return f"needs {want.memory_mb} MiB, this device has {facts.memory_mb}"
        if numbers(facts.app) < numbers(want.minimum_app):
            return f"needs Linnet {want.minimum_app}, this is {facts.app}"
        return None

    @classmethod
    def parse(cls, data: bytes, target: str) -> Release:
        """Read a release file that was fetched as ``target``.

        Raises:
            TrustError: too large, not a release, or one for another place.
        """
        if len(data) > MAX_RELEASE_BYTES:
            raise TrustError(Reason.BAD_RELEASE, f"larger than {MAX_RELEASE_BYTES} bytes")
        try:
            found = cls.model_validate_json(data)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = ".".join(str(piece) for piece in fault["loc"])[:200]
            raise TrustError(
                Reason.BAD_RELEASE, f"{place or 'release.json'}: {fault['msg']}"
            ) from error
        if found.target != target:
            raise TrustError(Reason.BAD_RELEASE, f"says it is {found.target}, fetched as {target}")
        return found


def class_of(target: str) -> str | None:
    """The device class that a release's target path is for; None where it is no such path."""
    found = _TARGET.fullmatch(target)
    return found[1] if found else None


def numbers(version: str) -> tuple[int, ...]:
    """A version as numbers, to be compared."""
    return tuple(int(piece) for piece in version.split("."))


def _between(version: str, first: str, last: str) -> bool:
    return numbers(first) <= numbers(version) <= numbers(last)
