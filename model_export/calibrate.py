"""How large activations get: runs a float graph on sample feeds and watches chosen tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort

from device.engine.contract import Array
from model_export.onnx_graph import ExportError

BINS = 4096  # of the histogram of magnitudes
LEAST = BINS * float(np.finfo(np.float32).tiny)  # a range whose bins float32 can still tell apart
Feeds = Iterable[Mapping[str, Array]]


class Runs(Protocol):
    """Inputs of a graph, a mapping for each run, that can be gone through more than once.

    A list, or what works them out anew where a list would not fit into memory.
    """

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Mapping[str, Array]]: ...


class Magnitudes:
    """A histogram of ``|x|`` in one pass: its range doubles when it must."""

    def __init__(self) -> None:
        self._counts: npt.NDArray[np.int64] = np.zeros(BINS, np.int64)
        self._limit = 0.0
        self.greatest = 0.0

    def observe(self, values: npt.NDArray[Any]) -> None:
        """Add values, which must be finite."""
        magnitudes = np.abs(values.astype(np.float32, copy=False)).ravel()
        if magnitudes.size == 0:
            return
        top = float(magnitudes.max())
        self.greatest = max(self.greatest, top)
        if self._limit == 0.0:
            if top == 0.0:
                self._counts[0] += magnitudes.size
                return
            self._limit = max(top, LEAST)
        while top > self._limit:
            merged = self._counts.reshape(-1, 2).sum(axis=1)
            self._counts = np.concatenate([merged, np.zeros_like(merged)])
            self._limit *= 2
        self._counts += np.histogram(magnitudes, BINS, (0.0, self._limit))[0]

    def percentile(self, percent: float) -> float:
        """A magnitude that ``percent`` of the values do not exceed, to one bin's width."""
        below = np.cumsum(self._counts) / max(1, int(self._counts.sum()))
        edge = (int(np.searchsorted(below, percent / 100.0)) + 1) * self._limit / BINS
        return min(edge, self.greatest)


def calibrate(
    model: onnx.ModelProto, feeds: Feeds, tensors: Sequence[str], percent: float = 100.0
) -> dict[str, float]:
    """The magnitude to quantise each tensor for.

    Args:
        model: the float graph.
        feeds: sample inputs, one mapping for each run.
        tensors: names of the tensors to watch.
        percent: 100 keeps the greatest value seen; less cuts outliers off.

    Raises:
        ExportError: no feeds, a tensor that is not there, or values that are not finite.
    """
    seen = {name: Magnitudes() for name in tensors}
    running = _watching(model, tensors)
    runs = 0
    for feed in feeds:
        runs += 1
        for name, values in zip(tensors, running.run(list(tensors), dict(feed)), strict=True):
            if not np.isfinite(values).all():
                raise ExportError(
                    f"{name}: is not finite on feed {runs}; check the feeds or the graph"
                )
            seen[name].observe(values)
    if not runs:
        raise ExportError("calibration: there are no feeds; give at least one")
    if percent >= 100.0:
        return {name: item.greatest for name, item in seen.items()}
    return {name: item.percentile(percent) for name, item in seen.items()}


def channel_magnitudes(
    model: onnx.ModelProto, feeds: Feeds, tensors: Sequence[str]
) -> dict[str, npt.NDArray[np.float32]]:
    """The greatest magnitude of each channel (last axis) of each tensor over all feeds."""
    seen: dict[str, npt.NDArray[np.float32]] = {}
    if not tensors:
        return seen  # asked for none, a session would return all of its outputs
    running = _watching(model, tensors)
    for feed in feeds:
        for name, values in zip(tensors, running.run(list(tensors), dict(feed)), strict=True):
            found = np.abs(values).reshape(-1, values.shape[-1]).max(axis=0, initial=0.0)
            seen[name] = np.maximum(seen.get(name, found), found)
    if not seen:
        raise ExportError("calibration: there are no feeds; give at least one")
    return seen


def output_errors(
    reference: onnx.ModelProto, candidate: onnx.ModelProto, feeds: Feeds
) -> dict[str, float]:
    """For each output, ``|candidate - reference| / |reference|`` (2-norms over all feeds)."""
    sessions = (session(reference), session(candidate))
    names = [item.name for item in reference.graph.output]
    wrong, whole = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for feed in feeds:
        expected, found = (running.run(names, dict(feed)) for running in sessions)
        for name, a, b in zip(names, expected, found, strict=True):
            a64, b64 = a.astype(np.float64), b.astype(np.float64)
            wrong[name] += float(np.square(b64 - a64).sum())
            whole[name] += float(np.square(a64).sum())
    return {name: float(np.sqrt(wrong[name] / (whole[name] or 1.0))) for name in names}


def _watching(model: onnx.ModelProto, tensors: Sequence[str]) -> ort.InferenceSession:
    """A session of ``model`` that also returns ``tensors``."""
    graph = model.graph
    made = {name for node in graph.node for name in node.output}
    made |= {item.name for item in graph.input}
    for name in tensors:
        if name not in made:
            raise ExportError(f"{name}: is not a tensor of the graph; check the name")
    own = len(graph.output)
    more = set(tensors) - {item.name for item in graph.output}
    # Not in a copy, which would be all of the weights; ONNX Runtime infers the types.
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(more))
    try:
        return session(model)
    finally:
        del graph.output[own:]


def session(model: onnx.ModelProto) -> ort.InferenceSession:
    """One thread on the CPU."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
