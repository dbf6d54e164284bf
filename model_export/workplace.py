"""Where parts wait until all are made: a finished one is kept with its hash and not made again.

A part is written to a directory of its own, flushed to the disk and renamed; its record says what
it was made of and by which code. A part that was half written, changed since, or made of or by
something else is made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from device.bundle import BLOCK
from device.engine.contract import Precision
from model_export.onnx_graph import ExportError
from model_export.pack import PartSource

RECORD = "record.json"
ROOMS = ("device", "model_export")  # of which this program is made
EXPORTERS = ("torch", "onnx", "onnxscript", "onnxruntime", "numpy")
Profile = Mapping[str, tuple[int, int, int]]


@dataclass(frozen=True)
class Made:
    """A part as it was made: its graph, what lies beside it, and figures for the manifest."""

    model: Path
    precision: Precision
    profile: Profile
    external: tuple[Path, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)

    def source(self) -> PartSource:
        """As ``pack`` takes it."""
        return PartSource(self.model, self.precision, self.profile, self.external)


def made_by(source: Path = Path(__file__).parents[1]) -> str:
    """Changes with the code that makes parts, recipes and all, and with the exporters' versions.

    Linnet's own version would not do: it stays the same from one commit to the next.
    """
    digest = hashlib.sha256()
    for path in sorted(path for room in ROOMS for path in (source / room).rglob("*.py")):
        digest.update(f"{path.relative_to(source)} {file_hash(path)}\n".encode())
    for name in EXPORTERS:
        digest.update(f"{name} {version(name)}\n".encode())
    return digest.hexdigest()


class Workplace:
    """Parts of the bundle that will be at ``target``, in a hidden directory beside it.

    Args:
        target: where the bundle will be.
        by: what the parts are made by; see ``made_by``.
    """

    def __init__(self, target: Path, by: str | None = None) -> None:
        self.by = made_by() if by is None else by
        self.root = target.with_name(f".{target.name}.parts")
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ExportError(f"{self.root}: cannot be made ({error.strerror})") from error

    def part(self, name: str, made_of: str, make: Callable[[Path], Made]) -> tuple[Made, bool]:
        """The part called ``name``, and whether it was there already.

        Args:
            name: of the part.
            made_of: whatever decides its content; a part made of something else is not used.
            make: makes it in the directory that it is given.
        """
        folder = self.root / name
        kept = self._kept(folder, made_of)
        if kept is not None:
            return kept, True
        new = self.root / f"{name}.new"
        for stale in (folder, new):
            shutil.rmtree(stale, ignore_errors=True)
        new.mkdir()
        made = make(new)
        record = {"made_by": self.by, **_record(made, made_of)}
        (new / RECORD).write_text(json.dumps(record, indent=1))
        _sync(new)
        new.rename(folder)
        _sync_directory(self.root)
        return _made(folder, json.loads((folder / RECORD).read_text())), False

    def clear(self) -> None:
        """Remove every part: the bundle has them."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _kept(self, folder: Path, made_of: str) -> Made | None:
        try:
            record = json.loads((folder / RECORD).read_text())
            same = (record["made_of"], record["made_by"]) == (made_of, self.by)
            whole = same and all(
                file_hash(folder / name) == digest for name, digest in record["files"].items()
            )
            return _made(folder, record) if whole else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


def file_hash(path: Path) -> str:
    """SHA-256 in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _record(made: Made, made_of: str) -> dict[str, Any]:
    return {
        "made_of": made_of,
        "model": made.model.name,
        "precision": made.precision,
        "profile": {name: list(sizes) for name, sizes in made.profile.items()},
        "figures": dict(made.figures),
        "files": {path.name: file_hash(path) for path in (made.model, *made.external)},
    }


def _made(folder: Path, record: dict[str, Any]) -> Made:
    model = record["model"]
    beside = tuple(folder / name for name in record["files"] if name != model)
    profile = {name: (a, b, c) for name, (a, b, c) in record["profile"].items()}
    return Made(folder / model, record["precision"], profile, beside, record["figures"])


def _sync(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
    _sync_directory(folder)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
