"""A snapshot of a fleet as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ota.rollout.fleet_view import Snapshot, WaveCounts
from ota.rollout.guard import Limits, fault
from ota.rollout.rollout import BUCKETS

_BAR = 40
_ROWS = 6


def lines(snapshot: Snapshot) -> Iterator[str]:
    """What an operator wants to know, most important first."""
    offline = snapshot.devices - snapshot.online
    devices = "devices" if snapshot.device_class is None else f"{snapshot.device_class} devices"
    yield f"{snapshot.devices:,} {devices}, {snapshot.online:,} online, {offline:,} offline"
    if snapshot.release is not None:
        yield from _rollout(snapshot)
    yield from _table("classes", snapshot.classes)
    yield from _table("running", snapshot.running)
    for count, what in (
        (snapshot.events_lost, "events lost on the way"),
        (snapshot.unreadable, "messages that could not be read"),
        (snapshot.beyond_limit, "messages of more devices than are kept"),
    ):
        if count:
            yield f"{count:,} {what}"


def _rollout(snapshot: Snapshot) -> Iterator[str]:
    tally = snapshot.tally
    yield ""
    yield (
        f"release {snapshot.release}: {tally.begun:,} began, {tally.succeeded:,} succeeded, "
        f"{tally.failed:,} failed, {tally.silent:,} silent"
    )
    why = fault(tally, Limits())
    together = len(snapshot.classes) > 1 and snapshot.device_class is None
    whose = ", all classes together: see each with --class" if together else ""
    yield (f"STOP IT: {why}" if why else "within its limits") + whose
    yield from (_wave(number, wave) for number, wave in enumerate(snapshot.waves, 1))
    yield "  # kept  ~ under way  x failed  ? silent  . not begun"
    yield from _table("phase", snapshot.phases)
    yield from _table("failed by", snapshot.reasons)
    yield ""


def _wave(number: int, wave: WaveCounts) -> str:
    tally = wave.tally
    counts = (
        ("x", tally.failed), ("?", tally.silent), ("#", tally.succeeded),
        ("~", tally.begun - tally.executed),
    )  # fmt: skip
    bar = ""
    for mark, count in counts:
        # Whatever is there at all is seen: a single silent device is news.
        width = round(_BAR * count / wave.devices) if wave.devices else 0
        bar += mark * max(width, 1 if count else 0)
    done = f"{tally.succeeded:,} of {wave.devices:,}"
    share = f"wave {number} to {100 * wave.until_bucket / BUCKETS:5.1f} %"
    name = share if wave.signed else "no wave yet"
    return f"  {name:<{len(share)}}  {bar[:_BAR]:.<{_BAR}}  {done}"


def _table(title: str, counts: Mapping[str, int]) -> Iterator[str]:
    rows = sorted(counts.items(), key=lambda row: -row[1])
    if rows:
        yield f"{title}: " + ", ".join(f"{name} {count:,}" for name, count in rows[:_ROWS])
