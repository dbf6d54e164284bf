"""From events and clock times to the benchmark's figures. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.language.calls import Call
from services.voice.timeline import Kind, TimelineEvent

STAGES: Mapping[str, Kind] = {
    "endpoint": "endpoint",
    "transcript": "transcript",
    "call": "call",
    "command": "command_sent",
    "confirmed": "confirmed",
}
"""Stage → the event that ends it; ``first_audio`` is heard at the loudspeaker instead."""


@dataclass(frozen=True)
class TurnTimes:
    """One turn, in milliseconds from its last voiced sample; what did not happen is not there."""

    woken: bool
    call: Call | None
    ms: Mapping[str, float]


def turns_of(
    starts: Sequence[float],
    ends: Sequence[float],
    events: Iterable[TimelineEvent],
    heard: Sequence[float],
) -> list[TurnTimes]:
    """Sort events and sounds into turns by their time.

    Args:
        starts, ends: clock seconds at which each turn's sound began and its speech ended.
        heard: clock seconds of audible moments at the loudspeaker, ascending.
    """
    known = list(events)
    found = []
    for start, end, until in zip(starts, ends, [*starts[1:], float("inf")], strict=True):
        own = [event for event in known if start <= event.at_s < until]
        ms = {}
        for stage, kind in STAGES.items():
            times = [event.at_s for event in own if event.kind == kind]
            if times:
                ms[stage] = (max(times) - end) * 1000  # of several devices the last counts
        audible = next((t for t in heard if end <= t < until), None)
        if audible is not None:
            ms["first_audio"] = (audible - end) * 1000
        call = next((event.data.get("call") for event in own if event.kind == "call"), None)
        woken = any(event.kind == "wake" for event in own)
        found.append(TurnTimes(woken, call if isinstance(call, Call) else None, ms))
    return found


def percentile(values: Sequence[float], share: float) -> float | None:
    """With linear interpolation, rounded to 0.1; None of nothing."""
    return round(float(np.quantile(values, share)), 1) if values else None


def first_audio(turns: Sequence[TurnTimes]) -> dict[str, float | None]:
    """p50 and p95 of end of speech → first audible sample."""
    values = [turn.ms["first_audio"] for turn in turns if "first_audio" in turn.ms]
    return {"p50": percentile(values, 0.5), "p95": percentile(values, 0.95)}


def medians(turns: Sequence[TurnTimes]) -> dict[str, float | None]:
    """Of every stage, over the turns in which it happened."""
    stages = (*STAGES, "first_audio")
    values = {stage: [t.ms[stage] for t in turns if stage in t.ms] for stage in stages}
    return {stage: percentile(kept, 0.5) for stage, kept in values.items()}
