"""The plans that were built on this machine: found by bundle, part, TensorRT version and GPU.

A plan fits nothing else, is never shipped and can always be built again. Beside each lies what is
known of it; that is written last, so what has no such file, or another size or hash, was cut short
and does not count. A timing cache, one for each version and GPU, makes the next build quick.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from device.engine.contract import Name, Precision, Sha256
from device.errors import EngineLoadError

MAX_FACTS_BYTES = 64 * 1024
MAX_TIMING_BYTES = 256 * 2**20
DIGEST_CHARS = 12  # as generations are named
_VERSION = re.compile(r"[^0-9A-Za-z.]")
_REBUILD = "build it again: linnet engine build"


@dataclass(frozen=True)
class PlanKey:
    """What a plan fits: a bundle's digest, a part, TensorRT's version and the GPU's generation."""

    digest: str
    part: str
    version: str
    sm: int

    @property
    def machine(self) -> str:
        """Version and generation, as they stand in file names."""
        return f"trt{_VERSION.sub('_', self.version)}-sm{self.sm}"


class PlanFacts(BaseModel):
    """What is known of a plan: its size and hash, and how long it took to build."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    part: Name
    precision: Precision
    version: Annotated[str, Field(max_length=64)]
    sm: Annotated[int, Field(ge=50, le=999)]
    bytes: Annotated[int, Field(ge=1)]
    sha256: Sha256
    seconds: Annotated[float, Field(ge=0)]


class PlanStore:
    """A directory of plans; made when the first one is saved. Writing may raise ``OSError``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, key: PlanKey) -> Path:
        """Where that plan lies or would lie."""
        return self._bundle(key.digest) / f"{key.part}-{key.machine}.plan"

    def _bundle(self, digest: str) -> Path:
        return self.root / digest[:DIGEST_CHARS]

    def save(self, key: PlanKey, plan: bytes, precision: Precision, seconds: float) -> PlanFacts:
        """Keep a plan; power may be cut at any time."""
        facts = PlanFacts(
            part=key.part,
            precision=precision,
            version=key.version,
            sm=key.sm,
            bytes=len(plan),
            sha256=hashlib.sha256(plan).hexdigest(),
            seconds=seconds,
        )
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, plan)
        write_durably(_facts_path(path), facts.model_dump_json(indent=1).encode())
        return facts

    def find(self, key: PlanKey) -> tuple[Path, PlanFacts] | None:
        """The plan and what is known of it; None where none was built.

        Raises:
            EngineLoadError: it is damaged or cannot be read.
        """
        path = self.path(key)
        try:
            facts = _read_facts(path)
            if facts is None:
                return None
            if not path.is_file() or path.stat().st_size != facts.bytes:
                raise EngineLoadError(str(path), "is not whole", _REBUILD)
            if _sha256(path) != facts.sha256:
                raise EngineLoadError(str(path), "is damaged", _REBUILD)
        except OSError as error:
            raise EngineLoadError(str(path), f"cannot be read: {error}", _REBUILD) from error
        return path, facts

    def timing(self, key: PlanKey) -> bytes:
        """The timing cache of this version and GPU; empty where there is none."""
        try:
            with self._timing(key).open("rb") as file:
                return file.read(MAX_TIMING_BYTES)
        except FileNotFoundError:
            return b""

    def save_timing(self, key: PlanKey, cache: bytes) -> None:
        """Keep a timing cache."""
        path = self._timing(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, cache)

    def _timing(self, key: PlanKey) -> Path:
        return self.root / "timing" / f"{key.machine}.cache"

    def prune(self, keep: Collection[str]) -> list[Path]:
        """Remove the plans of all bundles but those with these digests; gives what was removed.

        Args:
            keep: digests, or their first ``DIGEST_CHARS`` characters.
        """
        kept = {self._bundle(digest) for digest in keep} | {self.root / "timing"}
        found = sorted(self.root.iterdir()) if self.root.is_dir() else []
        gone = [path for path in found if path.is_dir() and path not in kept]
        for path in gone:
            shutil.rmtree(path)
        return gone


def _facts_path(plan: Path) -> Path:
    return plan.with_suffix(".json")


def _read_facts(plan: Path) -> PlanFacts | None:
    try:
        with _facts_path(plan).open("rb") as file:
            return PlanFacts.model_validate_json(file.read(MAX_FACTS_BYTES))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        problem = f"its description is damaged ({error.error_count()} faults)"
        raise EngineLoadError(str(plan), problem, _REBUILD) from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return hashlib.sha256(data).hexdigest()


def write_durably(path: Path, data: bytes) -> None:
    """Write a file so that after a power cut there is the old one or the new one."""
    draft = path.with_name(path.name + ".new")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
