"""``linnet engine build``: TensorRT plans of a bundle's parts, in the wanted precisions.

With ``--target`` nothing is kept: it proves that every graph parses and builds for a generation of
GPU, on a machine that has none (``tensorrt-rtx``).
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType

from device.bundle import Bundle, BundlePart
from device.engine.tensorrt_build import EngineBuildError, build
from model_export import lint
from model_export.onnx_graph import ExportError, load
from model_export.variants import WANTED, Underivable, Wanted, stored_bytes, variant, variants

MODULES = ("tensorrt", "tensorrt_rtx")
TOO_LARGE = "on its way to another precision a graph may have 2 GB with its weights"
Derive = Callable[[BundlePart, Wanted, Path], BundlePart]


class TensorRtMissing(ExportError):
    """No TensorRT that could build."""


@dataclass(frozen=True)
class Row:
    """One build: what it was, what came of it. ``error`` is empty when it built.

    ``skipped`` says why a part cannot be had in a precision from what the bundle stores,
    ``warnings`` what a GPU may do with it that is not meant.
    """

    part: str
    wanted: Wanted
    precision: str
    layers: dict[str, int] = field(default_factory=dict)
    graph_bytes: int = 0
    plan_bytes: int = 0
    seconds: float = 0.0
    op: str = ""
    node: str = ""
    error: str = ""
    skipped: str = ""
    warnings: tuple[str, ...] = ()


def run(args: argparse.Namespace, bundle: Bundle, derive: Derive = variant) -> bool:
    """Build what ``args`` asks for, print it; True when something built and nothing failed.

    ``args`` has target, part, precision, all, tensorrt and json; ``derive`` is as ``variant``.
    """
    trt = tensorrt(args.tensorrt)
    sm = generation(args.target)
    rows = []
    for part, wanted in chosen(bundle, args.part, args.precision):
        row = build_one(trt, bundle, part, wanted, sm, derive)
        rows.append(row)
        if not args.json:
            print(line(row), flush=True)
        else:
            print(line(row), file=sys.stderr, flush=True)
    if not rows:
        raise ExportError("engine build: int4 is for the language model alone; name part lm")
    built = not any(row.error for row in rows) and not all(row.skipped for row in rows)
    if args.json:
        facts = {
            "bundle": bundle.manifest.family,
            "version": bundle.manifest.version,
            "builder": f"{trt.__name__} {trt.__version__}",
            "target": args.target or "this machine",
            "ok": built,
            "parts": [asdict(row) for row in rows],
        }
        print(json.dumps(facts, indent=1))
    return built


def tensorrt(name: str | None) -> ModuleType:
    """The module called ``name``, or the first that is installed.

    Raises:
        TensorRtMissing: none is.
    """
    for candidate in (name,) if name else MODULES:
        try:
            return importlib.import_module(candidate)
        except ImportError:
            continue
    raise TensorRtMissing(
        f"{name or ' and '.join(MODULES)}: not installed; on a Jetson it comes with JetPack, "
        "elsewhere run: pip install 'linnet[trt-ci]'"
    )


def generation(target: str | None) -> int | None:
    """``sm86`` → 86; None, the GPU of this machine, stays None.

    Raises:
        ExportError: it is not the name of a generation.
    """
    if target is None:
        return None
    found = re.fullmatch(r"(?:sm_?)?([0-9]{2,3})", target.lower())
    if found is None:
        raise ExportError(f"target {target!r}: is not like sm86 or sm87")
    return int(found.group(1))


def chosen(
    bundle: Bundle, parts: list[str] | None, precisions: list[Wanted] | None
) -> Iterator[tuple[str, Wanted]]:
    """What of the bundle to build.

    Raises:
        MissingPart: the bundle has no such part.
    """
    for name in parts or ():
        bundle.part(name)
    for name, wanted in variants(bundle, precisions or WANTED):
        if not parts or name in parts:
            yield name, wanted


def build_one(
    trt: ModuleType,
    bundle: Bundle,
    name: str,
    wanted: Wanted,
    sm: int | None,
    derive: Derive = variant,
) -> Row:
    """Convert, lint and build one part; a refusal becomes the row's ``error`` or ``skipped``."""
    from google.protobuf.message import EncodeError  # type: ignore[import-untyped]

    start = time.monotonic()
    row = functools.partial(Row, name, wanted)
    try:
        with tempfile.TemporaryDirectory() as folder:
            part = derive(bundle.part(name), wanted, Path(folder))
            size = stored_bytes(part.path)
            warned = tuple(str(item) for item in lint.warnings(load(part.path, weights=False)))
            built = build(trt, part, sm=sm)
    except EngineBuildError as error:
        return row("", seconds=_since(start), op=error.op, node=error.node, error=error.desc)
    except Underivable as reason:
        return row("", seconds=_since(start), skipped=str(reason))
    except ExportError as error:
        return row("", seconds=_since(start), error=str(error))
    except EncodeError:
        problem = f"{TOO_LARGE}; export a bundle with --precision {wanted}"
        return row("", seconds=_since(start), error=problem)
    return row(
        part.spec.precision, dict(built.layers), size, len(built.plan), _since(start),
        warnings=warned,
    )  # fmt: skip


def line(row: Row) -> str:
    """One row for a person."""
    head = f"{row.part:<16} {row.wanted:<5} "
    if row.error:
        where = f"{row.op} {row.node!r}: " if row.node or row.op else ""
        return f"{head}FAILED  {where}{row.error}"
    if row.skipped:
        return f"{head}skipped  {row.skipped}"
    layers = " ".join(f"{kind.lower()}:{count}" for kind, count in sorted(row.layers.items()))
    size = f"{row.plan_bytes / 2**20:.1f} MiB"
    told = "".join(f"\n{'':<17}{warning}" for warning in row.warnings)
    return f"{head}{row.precision:<5} {size:>10} {row.seconds:6.1f} s  {layers}{told}"


def _since(start: float) -> float:
    return round(time.monotonic() - start, 1)
