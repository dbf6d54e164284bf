"""What a bundle says about itself: the pydantic model of ``manifest.json`` and nothing else.

Every number, text and list is bounded, so a hostile manifest costs no more than its megabyte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from device.engine.contract import (
    MAX_TENSORS,
    Extent,
    Name,
    Precision,
    Sha256,
    TensorSpec,
    check_tensors,
)
from device.errors import BadManifest

MANIFEST_NAME = "manifest.json"
MAX_MANIFEST_BYTES = 2**20
MAX_FILE_BYTES = 2**35  # 32 GiB: a 9B checkpoint in fp16 is 18 GB
MAX_FILES = 256
STEP_BYTES = "lm_step_bytes"
"""Key of ``config``: bytes of weights that a step of the language model reads, where it is said."""
_EXPORT = "export the bundle again"

_PATH_PIECE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+\-]{0,127}")
Version = Annotated[str, Field(pattern=r"^[0-9]{1,6}(\.[0-9]{1,6}){1,3}$")]
Text = Annotated[str, Field(min_length=1, max_length=2**16)]
Scalar = bool | int | float | str
Sm = Annotated[int, Field(strict=True, ge=50, le=999)]
Token = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StoredFile(_Frozen):
    """A file of the bundle: where, how many bytes, and its SHA-256 in hex."""

    file: str = Field(min_length=1, max_length=512)
    bytes: int = Field(strict=True, ge=0, le=MAX_FILE_BYTES)
    sha256: Sha256

    @field_validator("file")
    @classmethod
    def _stays_inside(cls, value: str) -> str:
        if not all(_PATH_PIECE.fullmatch(piece) for piece in value.split("/")):
            raise ValueError("must be a relative path of plain names, without '..' or hidden names")
        return value


class Part(StoredFile):
    """One graph: its file, precision and tensors; ``device.engine.contract`` explains state."""

    precision: Precision
    inputs: tuple[TensorSpec, ...] = Field(max_length=MAX_TENSORS)
    outputs: tuple[TensorSpec, ...] = Field(max_length=MAX_TENSORS)
    state: tuple[TensorSpec, ...] = Field(default=(), max_length=MAX_TENSORS)
    profile: dict[Name, tuple[Extent, Extent, Extent]] = Field(default_factory=dict, max_length=16)

    @model_validator(mode="after")
    def _consistent(self) -> Part:
        check_tensors(self.inputs, self.outputs, self.state)
        return self


class Schedule(_Frozen):
    """How many text and audio tokens the language model writes in turns."""

    text: int = Field(strict=True, ge=1, le=4096)
    audio: int = Field(strict=True, ge=1, le=4096)


class Hardware(_Frozen):
    """What the bundle needs: MiB of memory while running, and GPU generations (none: any)."""

    memory_mb: int = Field(strict=True, ge=1, le=2**20)
    sm: tuple[Sm, ...] = Field(default=(), max_length=32)


class SelfTest(_Frozen):
    """An utterance among the bundle's files and the speech tokens that it must give."""

    file: str = Field(min_length=1, max_length=512)
    tokens: tuple[Token, ...] = Field(min_length=1, max_length=4096)


class ManifestHead(_Frozen):
    """All that a bundle says about itself beside its files."""

    format: Literal[1] = 1
    family: Name
    version: Version
    languages: tuple[Language, ...] = Field(min_length=1, max_length=128)
    sample_rate_in: int = Field(strict=True, ge=8_000, le=192_000, description="Hz")
    sample_rate_out: int = Field(strict=True, ge=8_000, le=192_000, description="Hz")
    schedule: Schedule
    licence: Text
    notice: Text
    minimum_runtime: Version
    hardware: Hardware
    evaluation: dict[Name, float] = Field(default_factory=dict, max_length=256)
    self_test: SelfTest | None = None
    config: dict[Name, Scalar | tuple[Scalar, ...]] = Field(default_factory=dict, max_length=256)


class Manifest(ManifestHead):
    """The head, the graphs and the other files (tokenizer, voices, templates) of a bundle."""

    parts: dict[Name, Part] = Field(min_length=1, max_length=64)
    files: dict[Name, StoredFile] = Field(default_factory=dict, max_length=MAX_FILES)

    @model_validator(mode="after")
    def _one_entry_a_file(self) -> Manifest:
        names = [entry.file for entry in self.stored()]
        if len(set(names)) < len(names):
            raise ValueError("a file is listed twice")
        if MANIFEST_NAME in names:
            raise ValueError(f"{MANIFEST_NAME} cannot list itself")
        extra = {entry.file for entry in self.files.values()}
        if self.self_test and self.self_test.file not in extra:
            raise ValueError(f"self_test.file {self.self_test.file!r} is not among the files")
        return self

    def stored(self) -> Iterator[StoredFile]:
        """Every file the manifest lists."""
        yield from self.parts.values()
        yield from self.files.values()

    @classmethod
    def parse(cls, data: bytes, where: str = MANIFEST_NAME) -> Manifest:
        """Read a manifest from bytes.

        Raises:
            BadManifest: too large, not JSON, or not a manifest; names the first field at fault.
        """
        if len(data) > MAX_MANIFEST_BYTES:
            problem = f"is larger than {MAX_MANIFEST_BYTES} bytes"
            raise BadManifest(where, problem, _EXPORT)
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            raise BadManifest(where, _first_fault(error), _EXPORT) from error


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(piece) for piece in fault["loc"])[:200]
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{place}: {fault['msg']}{more}" if place else f"{fault['msg']}{more}"
