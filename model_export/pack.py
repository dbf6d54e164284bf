"""Builds a bundle directory: copies, hashes, writes the manifest, and appears whole or not at all.

Everything is written to a hidden directory beside the target, flushed to the disk, opened and
verified as the box would do it, and only then renamed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from device.bundle import BLOCK, MANIFEST_NAME, Bundle, Manifest, ManifestHead, Part, StoredFile
from device.engine.contract import Precision
from device.errors import BadManifest, DeviceError
from device.manifest import MAX_MANIFEST_BYTES
from model_export import lint
from model_export.onnx_graph import ExportError, load, tensor_specs


@dataclass(frozen=True)
class PartSource:
    """A graph to pack: its file, its precision, and least, usual and greatest sizes of its dims.

    ``external`` lists files of weights that the graph refers to; they must lie beside it.
    """

    model: Path
    precision: Precision
    profile: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    external: tuple[Path, ...] = ()


def pack(
    target: Path,
    head: ManifestHead,
    parts: Mapping[str, PartSource],
    files: Mapping[str, Path],
    *,
    replace: bool = False,
    link: bool = False,
) -> Bundle:
    """Write a bundle.

    Args:
        target: directory to make.
        head: what the bundle says about itself.
        parts: graphs by part name; stored as ``<part>.onnx``.
        files: other files by name (tokenizer, voices), stored under their own file names.
        replace: whether a bundle already at ``target`` may be replaced.
        link: give graphs and weights, which the caller will not touch again, a second name instead
            of copying them, where the file system can.

    Returns:
        The bundle, opened and verified.

    Raises:
        ExportError: the target exists, a source is missing, a precision is not what is stated, or
            the manifest would be refused.
        LintError: a graph must not be shipped.
    """
    check_target(target, replace=replace)
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        _fill(work, head, parts, files, link)
        Bundle.open(work)
        work.chmod(0o755)  # mkdtemp makes it private
        _put_in_place(work, target)
    except (OSError, ValueError, DeviceError) as error:
        raise ExportError(f"{target}: cannot be packed ({error}); nothing was changed") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)  # gone already, when all went well
    return Bundle.open(target)


def check_target(target: Path, *, replace: bool) -> None:
    """Refuse a place where something is that is no bundle, or is one that must stay.

    Raises:
        ExportError: with what is there.
    """
    if not (target.exists() or target.is_symlink()):
        return
    if not replace:
        raise ExportError(f"{target}: exists; choose another place or remove it")
    try:
        with (target / MANIFEST_NAME).open("rb") as file:
            Manifest.parse(file.read(MAX_MANIFEST_BYTES + 1), str(target))
    except (OSError, BadManifest) as error:
        problem = "exists and is no bundle, so it will not be replaced"
        raise ExportError(f"{target}: {problem}; choose another place or remove it") from error


def _fill(
    work: Path,
    head: ManifestHead,
    parts: Mapping[str, PartSource],
    files: Mapping[str, Path],
    link: bool,
) -> None:
    extra = {name: _store(path, work, path.name) for name, path in files.items()}
    graphs = {}
    for name, source in parts.items():
        graphs[name] = _part(name, source, work, link)
        for path in source.external:
            extra[f"{name}.{path.name}"] = _store(path, work, path.name, link)
    # model_validate and not the constructor: the head was validated, the whole was not.
    manifest = Manifest.model_validate({**dict(head), "parts": graphs, "files": extra})
    text = manifest.model_dump_json(indent=1)
    _write(work / MANIFEST_NAME, text.encode() + b"\n")
    _sync_directory(work)


def _part(name: str, source: PartSource, work: Path, link: bool) -> Part:
    model = load(source.model, weights=False)
    inputs, outputs, state = tensor_specs(model)
    lint.check(source.model)
    _check_precision(name, model, source.precision)
    stored = _store(source.model, work, f"{name}.onnx", link)
    return Part(
        **dict(stored),
        precision=source.precision,
        inputs=inputs,
        outputs=outputs,
        state=state,
        profile=dict(source.profile),
    )


def _check_precision(name: str, model: onnx.ModelProto, precision: Precision) -> None:
    """The engine chooses kernels by the stated precision, so it must be the true one."""
    ops = {node.op_type for node in model.graph.node}
    if "QuantizeLinear" in ops:
        allowed: tuple[Precision, ...] = ("w8a8",)
    elif "DequantizeLinear" in ops:
        int4 = any(item.data_type == onnx.TensorProto.INT4 for item in model.graph.initializer)
        allowed = ("w4",) if int4 else ("w8",)
    else:
        allowed = ("fp32", "fp16")
    if precision not in allowed:
        raise ExportError(f"part {name}: is {' or '.join(allowed)} and not {precision}; say so")


def _store(source: Path, work: Path, name: str, link: bool = False) -> StoredFile:
    """Copy one file into ``work``, hashing what is written; or link it, hashing what is there."""
    target = work / name
    if link and _linked(source, target):
        with target.open("rb") as reader:
            digest = hashlib.sha256()
            while block := reader.read(BLOCK):
                digest.update(block)
        return StoredFile(file=name, bytes=target.stat().st_size, sha256=digest.hexdigest())
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reader, target.open("xb") as writer:
        while block := reader.read(BLOCK):
            digest.update(block)
            size += len(block)
            writer.write(block)
        writer.flush()
        os.fsync(writer.fileno())
    return StoredFile(file=name, bytes=size, sha256=digest.hexdigest())


def _linked(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        return False
    return True


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as writer:
        writer.write(data)
        writer.flush()
        os.fsync(writer.fileno())


def _put_in_place(work: Path, target: Path) -> None:
    """Rename ``work`` to ``target``; what was there is removed after, and put back on failure."""
    old = work.with_name(work.name + ".old")
    had_one = target.exists()
    if had_one:
        target.rename(old)
    try:
        work.rename(target)
    except OSError:
        if had_one:
            old.rename(target)
        raise
    _sync_directory(target.parent)
    if had_one:
        shutil.rmtree(old)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
