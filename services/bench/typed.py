"""``linnet bench --typed``: from a typed line to the command that leaves, in a large home.

Broker and devices run in processes of their own (``crowd``), so ``cpu_s`` and ``rss_mb`` are of the
listening home alone. A line's time ends when its last command has been handed to the connection;
what devices and broker add is in ``confirm_ms`` only. A part is a share of the former:
recognition, resolution, publishing (safety, payload and hand-over).
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.bench.crowd import Crowd, Sentence, crowd, sentences
from services.bench.mosquitto import installed
from services.bench.stages import percentile
from services.home.broker import BrokerUnreachable
from services.home.executor import Home, HomeEvent
from services.language.fast_path import FastPath, Heard
from services.language.homeview import HomeView
from services.settings import Settings
from services.typed import TypedLines
from services.wiring import at_broker, open_home

WARM_UP = 20
"""Lines at the start that are not counted."""
LINES = 300
AGAIN = 2
"""How often all is announced once more, to see whether memory grows."""
START_S = 180.0
LOOK_S = 0.005
PARTS = ("recognition", "resolution", "publishing")


@dataclass
class _Watch:
    """What one line took, so far."""

    started_s: float = field(default_factory=time.monotonic)
    began_cpu_s: float = field(default_factory=time.thread_time)
    parts: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    events: list[HomeEvent] = field(default_factory=list)
    cpu_s: float = 0.0
    """Of the typing thread, up to the last command: says the same on a busy machine."""

    def take(self, event: HomeEvent) -> None:
        self.events.append(event)
        if event.kind == "sent":
            self.cpu_s = time.thread_time() - self.began_cpu_s

    def last(self, kind: str) -> float | None:
        """Milliseconds from the line to the last of these events."""
        times = [event.at_s for event in self.events if event.kind == kind]
        return (max(times) - self.started_s) * 1000 if times else None


class _TimedPath(FastPath):
    """The fast path, with a look at the clock."""

    took_s = 0.0

    def understand(self, text: str, view: HomeView) -> Heard:
        begun = time.monotonic()
        heard = super().understand(text, view)
        self.took_s = time.monotonic() - begun
        return heard


class TypedBench:
    """One home and one reader of lines, timed."""

    def __init__(self, settings: Settings, devices: int) -> None:
        self._settings, self._count = settings, devices
        self._watch = _Watch()

    def measure(self, lines: int = LINES) -> dict[str, Any]:
        """Everything, as one table.

        Raises:
            BrokerError: broker or devices do not come up.
        """
        path = _TimedPath("en")
        path.warm_up(HomeView())
        asked = sentences(crowd(self._count), WARM_UP + lines)
        program = installed()
        with Crowd(self._count, program) as people:
            before = rss_mb()
            home = open_home(
                at_broker(self._settings, people.address),
                observe=lambda event: self._watch.take(event),
            )
            with home:
                discovery = _discover(home, self._count)
                home.wait_quiet(START_S)
                memory = [rss_mb()]
                for _ in range(AGAIN):
                    people.announce_again()
                    home.wait_quiet(START_S)
                    memory.append(rss_mb())
                reader = TypedLines(path)
                watches = [self._type(line, home, reader, path) for line in asked][WARM_UP:]
            after = rss_mb()
        return {
            "devices": self._count,
            "broker": "mosquitto" if program else "embedded",
            **_times(watches, asked[WARM_UP:]),
            **discovery,
            "rss_mb": {
                "before": before, "discovered": memory[0], "announced_again": memory[1:],
                "after": after,
            },
            "load_1min": round(os.getloadavg()[0], 1),
        }  # fmt: skip

    def _type(self, line: Sentence, home: Home, reader: TypedLines, path: _TimedPath) -> _Watch:
        watch = self._watch = _Watch()
        view, entities = home.view(), home.entities()
        read = reader.read(line.text, view, entities)
        done = time.monotonic()
        watch.parts["recognition"] = path.took_s
        watch.parts["resolution"] += done - watch.started_s - path.took_s
        if read.error is None:
            home.execute(read.call, resolved=read.resolution)
        sent = watch.last("sent")
        if sent is not None:
            watch.parts["publishing"] = sent / 1000 - sum(watch.parts.values())
        return watch


def _discover(home: Home, count: int) -> dict[str, float]:
    """Wall and processor seconds from the subscription until all are known, and have spoken."""
    home.wait_connected(START_S)
    begun, cpu = time.monotonic(), time.process_time()

    def wait(what: str, number: Callable[[], int]) -> float:
        while (now := number()) < count:
            if time.monotonic() - begun > START_S:
                raise BrokerUnreachable(f"{now} of {count} devices {what}, then nothing came")
            time.sleep(LOOK_S)
        return round(time.monotonic() - begun, 3)

    known_s = wait("were found", lambda: len(home.entities()))
    known_cpu_s = round(time.process_time() - cpu, 3)
    told_s = wait("spoke", lambda: sum(e.heard_at_s is not None for e in home.entities()))
    return {"discovery_s": known_s, "discovery_cpu_s": known_cpu_s, "states_s": told_s}


def _times(watches: Sequence[_Watch], asked: Sequence[Sentence]) -> dict[str, Any]:
    """Figures over all lines; one that moved too few devices is counted, so that none vanish."""
    sent = [ms for watch in watches if (ms := watch.last("sent")) is not None]
    confirmed = [ms for watch in watches if (ms := watch.last("confirmed")) is not None]
    right = sum(
        sum(event.kind == "confirmed" for event in watch.events) == line.devices
        for watch, line in zip(watches, asked, strict=True)
    )
    totals = {part: sum(watch.parts[part] for watch in watches) for part in PARTS}
    whole = sum(totals.values()) or 1.0
    return {
        "text_ms": _spread(sent),
        "text_cpu_ms": _spread([watch.cpu_s * 1000 for watch in watches if watch.cpu_s]),
        "confirm_ms": _spread(confirmed),
        "parts_ms": {part: _spread([w.parts[part] * 1000 for w in watches]) for part in PARTS},
        "shares": {part: round(total / whole, 3) for part, total in totals.items()},
        "lines": {"asked": len(asked), "sent": len(sent), "all_confirmed": right},
    }


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    return {"p50": percentile(values, 0.5), "p95": percentile(values, 0.95)}


def rss_mb() -> float:
    """Resident memory of this process now; where the system does not tell, its largest."""
    status = Path("/proc/self/statm")
    if status.is_file():
        pages = int(status.read_text("ascii").split()[1])
        return round(pages * resource.getpagesize() / 2**20, 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def lines_of(table: dict[str, Any]) -> list[str]:
    """For people."""
    text, confirm, rss = table["text_ms"], table["confirm_ms"], table["rss_mb"]
    shares = ", ".join(f"{part} {share:.0%}" for part, share in table["shares"].items())
    counts, cpu = table["lines"], table["text_cpu_ms"]
    return [
        f"{table['devices']} devices ({table['broker']}), {counts['asked']} lines,"
        f" sent {counts['sent']}, confirmed by all devices {counts['all_confirmed']}",
        f"line to command    p50 {text['p50']} ms, p95 {text['p95']} ms ({shares})",
        f"  processor time   p50 {cpu['p50']} ms, p95 {cpu['p95']} ms",
        f"line to confirmed  p50 {confirm['p50']} ms, p95 {confirm['p95']} ms",
        f"discovery          {table['discovery_s']} s, {table['discovery_cpu_s']} s of processor;"
        f" all states after {table['states_s']} s",
        f"memory             {rss['before']} MB, {rss['discovered']} MB with all devices,"
        f" {rss['announced_again'][-1]} MB after they announced themselves {AGAIN} times more",
    ]
