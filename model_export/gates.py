"""Quality gates: how far a rounded part may be from the same part in float, and that it is not.

Figures go into the manifest beside their bars, as ``gate.<part>.<measure>`` and ``….bar``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx

from device.engine.contract import NUMPY_TYPES, Array
from model_export.calibrate import Runs, session
from model_export.onnx_graph import ExportError, tensor_specs

PREFIX = "gate."
Measure = Literal["agreement", "top1", "l1", "snr_db"]
AT_LEAST: Mapping[Measure, bool] = {"agreement": True, "top1": True, "l1": False, "snr_db": True}


@dataclass(frozen=True)
class Gate:
    """A measure of one output and the value that it must reach (``l1``: must not exceed)."""

    output: str
    measure: Measure
    bar: float


class GateFailed(ExportError):
    """A part that rounding has made too much worse."""


def judged(part: str, gate: Gate, value: float, bar: float | None = None) -> dict[str, float]:
    """The figures for the manifest.

    Args:
        part: its name.
        gate: what must hold.
        value: what was measured.
        bar: another bar than the gate's own.

    Raises:
        GateFailed: it does not hold.
    """
    limit = gate.bar if bar is None else bar
    held = value >= limit if AT_LEAST[gate.measure] else value <= limit
    if not held:
        word = "less" if AT_LEAST[gate.measure] else "more"
        raise GateFailed(
            f"part {part}: {gate.measure} of {gate.output} against float is {value:.4g}, {word} "
            f"than {limit:.4g}; choose another precision, or another bar with --gate {part}=…"
        )
    stem = f"{PREFIX}{part}.{gate.measure}"
    return {stem: round(value, 6), f"{stem}.bar": limit}


def measured(
    exact: onnx.ModelProto,
    rounded: onnx.ModelProto,
    feeds: Runs,
    gate: Gate,
) -> float:
    """Run both graphs on the same feeds and compare one output.

    Raises:
        ExportError: there are no feeds.
    """
    if not feeds:
        raise ExportError("gate: there is nothing to measure on; give speech")
    a, b = (_answers(model, feeds, gate.output) for model in (exact, rounded))
    return compared(a, b, gate.measure)


def _answers(model: onnx.ModelProto, feeds: Runs, output: str) -> list[npt.NDArray[Any]]:
    """One session at a time is in memory: each has a copy of the weights."""
    running, kinds = session(model), _types(model)
    return [running.run([output], _cast(feed, kinds))[0] for feed in feeds]


def compared(
    exact: Sequence[npt.NDArray[Any]], found: Sequence[npt.NDArray[Any]], measure: Measure
) -> float:
    """One number from the outputs of all runs."""
    if measure == "top1":
        exact, found = [x.argmax(-1) for x in exact], [x.argmax(-1) for x in found]
    a, b = (np.concatenate([x.ravel() for x in runs]) for runs in (exact, found))
    if measure in ("agreement", "top1"):
        return float((a == b).mean())
    a, b = a.astype(np.float64), b.astype(np.float64)
    if measure == "l1":
        return float(np.abs(a - b).sum() / max(np.abs(a).sum(), 1e-30))
    return float(10 * np.log10(max(np.square(a).sum(), 1e-30) / max(np.square(a - b).sum(), 1e-30)))


def _types(model: onnx.ModelProto) -> dict[str, np.dtype[np.generic]]:
    inputs, _, state = tensor_specs(model)
    return {spec.name: NUMPY_TYPES[spec.dtype] for spec in inputs + state}


def _cast(feed: Mapping[str, Array], kinds: Mapping[str, np.dtype[np.generic]]) -> dict[str, Array]:
    """The same numbers in the types of the graph: caches may be half floats."""
    return {name: values.astype(kinds[name], copy=False) for name, values in feed.items()}
