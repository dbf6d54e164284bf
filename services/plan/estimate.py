"""Memory and speed of a model on a module: bounds from the memory's nominal speed. No measurement.

A step reads every weight of its part once, and the cache of what was said of late, so
``gb_s / bytes`` bounds the steps in a second. What boards reach of that bound is 0.5 to 0.9 by
published figures; arithmetic of encoders and decoders, and heat are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.plan.families import Family, Stream
from services.plan.modules import Module

Precision = Literal["fp16", "int8", "int4"]
PRECISIONS: tuple[Precision, ...] = ("fp16", "int8", "int4")
Verdict = Literal["yes", "marginal", "no"]

# Bytes a parameter, of body and head. INT4 carries an fp16 scale for each 128 of its weights.
_BYTES: dict[Precision, tuple[float, float]] = {
    "fp16": (2.0, 2.0),
    "int8": (1.0, 1.0),
    "int4": (0.516, 2.0),
}
USUAL, BEST = 0.75, 0.9
"""Shares of the bound that boards usually, and at best, reach with models of a size that counts."""
SYSTEM_GB = 2.5
"""The operating system, and the run times of CUDA and TensorRT."""
PAST_S = 30.0
"""Seconds of speech whose cache a step reads."""
LAUNCHES_S = 1000.0
"""Steps a second beyond which a step waits for about a hundred launches and not for memory."""


@dataclass(frozen=True)
class Estimate:
    """One model on one module at one precision; every figure follows from nominal ones.

    Attributes:
        memory_gb: weights, caches and the system, in 10^9 bytes.
        read_gb_s: what a second of speech makes the memory give.
        step_gb: what one step of the main part reads.
        tokens_s: steps of the main part in a second, at most.
        needed_s: as many as a second of speech takes.
        headroom: how much faster than real time, at most; the usual share not taken off.
    """

    family: str
    module: str
    precision: str
    memory_gb: float
    fits: bool
    read_gb_s: float
    step_gb: float
    tokens_s: float
    needed_s: float
    headroom: float
    real_time: Verdict


def past_rows(per_s: float, longest: float) -> float:
    """Rows of cache that a step reads of a part that makes so many a second."""
    return min(PAST_S * per_s, longest)


def cache_gb(family: Family, stream: Stream) -> float:
    """10^9 bytes of cache that one step reads."""
    longest = family.positions * max(stream.per_s / family.main.per_s, 1.0)
    return stream.row_bytes * past_rows(stream.per_s, longest) / 1e9


def step_gb(stream: Stream, precision: Precision) -> float:
    """10^9 bytes of weights that one step reads."""
    if precision == "int4" and not stream.main:
        precision = "int8"
    body, head = _BYTES[precision]
    return stream.body * body + stream.head * head


def memory_gb(family: Family, precision: Precision) -> float:
    """10^9 bytes of weights and caches, the system not counted."""
    weights = sum(step_gb(stream, precision) for stream in family.streams)
    caches = family.row_bytes * family.positions / 1e9
    return weights + 2 * (family.embedding + family.others) + caches


def estimate(family: Family, precision: Precision, module: Module) -> Estimate:
    """One model on one module."""
    step = {s.name: step_gb(s, precision) + cache_gb(family, s) for s in family.streams}
    read = sum(stream.per_s * step[stream.name] for stream in family.streams)
    main = family.main
    return _judge(
        family.name,
        _name(family, precision),
        memory_gb(family, precision) + SYSTEM_GB,
        read,
        step[main.name],
        main.per_s,
        module,
    )


def of_stored(
    name: str, precision: str, stored_gb: float, step: float, needed_s: float, module: Module
) -> Estimate:
    """A bundle on one module: ``stored_gb`` of parts and caches, ``step`` GB a step."""
    memory = stored_gb + SYSTEM_GB
    return _judge(name, precision, memory, step * needed_s, step, needed_s, module)


def _judge(
    name: str,
    precision: str,
    memory: float,
    read: float,
    step: float,
    needed: float,
    module: Module,
) -> Estimate:
    headroom = min(module.gb_s / read, LAUNCHES_S / needed)
    fits = memory <= module.memory_gb
    verdict: Verdict = "no"
    if fits and headroom * USUAL >= 1:
        verdict = "yes"
    elif fits and headroom * BEST >= 1:
        verdict = "marginal"
    return Estimate(
        name, module.name, precision, memory, fits, read, step,
        headroom * needed, needed, headroom, verdict,
    )  # fmt: skip


def _name(family: Family, precision: Precision) -> str:
    alone = all(stream.main for stream in family.streams)
    return precision if alone or precision != "int4" else "int4+int8"


def best(family: Family, module: Module) -> Estimate:
    """At the highest precision that is real time; else at the one that comes closest."""
    found = [estimate(family, precision, module) for precision in PRECISIONS]
    rank = {"yes": 2, "marginal": 1, "no": 0}
    # max takes the first of equals: the highest precision.
    return max(
        found, key=lambda e: (rank[e.real_time], e.fits, e.headroom * (rank[e.real_time] < 2))
    )
