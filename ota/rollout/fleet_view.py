"""A whole fleet as its status messages show it: fed with messages, asked for counts.

Bounded: a device costs a few hundred bytes; of devices beyond ``limit`` the messages are counted,
and nothing is kept.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from ota.errors import Reason
from ota.phases import Phase
from ota.release import numbers
from ota.rollout.guard import Limits, Tally
from ota.rollout.rollout import BUCKETS, DEFAULT_WAVES, until_bucket
from ota.rollout.status import (
    ONLINE,
    Inventory,
    OtaEvent,
    OtaState,
    StatusError,
    device_and_kind,
    parse,
)
from ota.rollout.waves import bucket

MAX_DEVICES = 200_000
USUAL_WAVES = tuple(until_bucket(share) for share, _ in DEFAULT_WAVES)


@dataclass
class Seen:
    """What is known of one device."""

    heard: float = 0.0
    """Unix seconds, by our clock, of its last sign of life."""
    online: bool = False
    phase: Phase = Phase.IDLE
    release: str | None = None
    wanted: str | None = None
    reason: Reason | None = None
    device_class: str | None = None
    events: tuple[str, int] = ("", -1)
    """Boot and number of the last event."""

    def silent(self, now: float, after: timedelta) -> bool:
        """Whether it was not heard for longer than a living device would be."""
        return not self.online and now - self.heard > after.total_seconds()


@dataclass(frozen=True)
class WaveCounts:
    """One wave of a roll-out: ``tally`` of the devices whose buckets it holds."""

    until_bucket: int
    devices: int
    tally: Tally
    signed: bool = True
    """False: the rest of the fleet, for whom there is no wave yet."""


@dataclass(frozen=True)
class Snapshot:
    """Counts at one moment."""

    devices: int
    online: int
    device_class: str | None
    """Whose devices these are, with those of unknown class; None: everybody's."""
    release: str | None
    """The roll-out spoken of; the newest that any device wants or runs, unless asked."""
    tally: Tally
    waves: tuple[WaveCounts, ...]
    classes: dict[str, int] = field(default_factory=dict)
    """Devices by class; those that have not said theirs as ``unknown``."""
    running: dict[str, int] = field(default_factory=dict)
    """Devices by the release that runs."""
    phases: dict[str, int] = field(default_factory=dict)
    """Devices of the roll-out by phase."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Its failed devices by reason."""
    events_lost: int = 0
    beyond_limit: int = 0
    """Messages of devices that no count here includes."""
    unreadable: int = 0


class FleetView:
    """Give it every message; ask when you like."""

    def __init__(
        self,
        tenant: str,
        *,
        silent_after: timedelta = Limits.silent_after,
        limit: int = MAX_DEVICES,
    ) -> None:
        self.tenant, self.limit = tenant, limit
        self._silent_after = silent_after
        self._devices: dict[str, Seen] = {}
        self._events_lost = self._unreadable = 0
        self.beyond_limit = 0
        """Messages so far of devices beyond ``limit``."""

    def hear(self, topic: str, payload: bytes, *, retained: bool, now: float) -> None:
        """One message. A retained one tells of an earlier time than now."""
        found = device_and_kind(topic, self.tenant)
        if found is None:
            return
        name, kind = found
        seen = self._devices.get(name)
        if seen is None:
            if len(self._devices) >= self.limit:
                self.beyond_limit += 1
                return
            seen = self._devices[name] = Seen()
        try:
            if kind == "online":
                self._hear_presence(seen, payload, retained, now)
            elif kind == "state":
                self._hear_state(seen, parse(OtaState, payload), retained, now)
            elif kind == "inventory":
                told = parse(Inventory, payload)
                seen.device_class = told.facts.device_class
                _heard(seen, told.ts, retained, now)
            elif kind == "event":
                self._hear_event(seen, parse(OtaEvent, payload), now)
        except StatusError:
            self._unreadable += 1

    def snapshot(
        self,
        now: float,
        release: str | None = None,
        device_class: str | None = None,
        waves: Sequence[int] = USUAL_WAVES,
    ) -> Snapshot:
        """How the fleet stands.

        Args:
            release: the roll-out to count; None: the newest that is seen.
            device_class: as for ``tally``.
            waves: ``until_bucket`` of each wave of the roll-out, growing.
        """
        devices = dict(self._of(device_class))
        release = release or _newest(devices.values())
        of_it = [one for one in devices.values() if release and one.wanted == release]
        bad = (one.reason for one in of_it if one.reason is not None)
        return Snapshot(
            devices=len(devices),
            online=sum(one.online for one in devices.values()),
            device_class=device_class,
            release=release,
            tally=self.tally(release, now, device_class) if release else Tally(),
            waves=tuple(self._waves(devices, release, now, waves)) if release else (),
            classes=_counts(one.device_class or "unknown" for one in devices.values()),
            running=_counts(one.release or "factory" for one in devices.values()),
            phases=_counts(one.phase.value for one in of_it),
            reasons=_counts(reason.name.lower() for reason in bad),
            events_lost=self._events_lost,
            beyond_limit=self.beyond_limit,
            unreadable=self._unreadable,
        )

    def tally(self, release: str, now: float, device_class: str | None = None) -> Tally:
        """How a roll-out stands, as the guard counts.

        Args:
            device_class: only its devices, and those that have not said of which class they are:
                one that falls silent before it says so must not go uncounted. None: all. Two
                classes may well give a release the same name.
        """
        fates = Counter(self._fate(one, release, now) for _, one in self._of(device_class))
        return _tally(fates)

    def knows_any(self, device_class: str) -> bool:
        """Whether any device is known that ``tally`` could count for a class."""
        return next(self._of(device_class), None) is not None

    # --- hearing -----------------------------------------------------------------------------

    def _hear_presence(self, seen: Seen, payload: bytes, retained: bool, now: float) -> None:
        seen.online = payload == ONLINE.encode()
        if seen.online or not retained:  # its will, too, says that it was there until now
            seen.heard = now

    def _hear_state(self, seen: Seen, told: OtaState, retained: bool, now: float) -> None:
        seen.phase, seen.release, seen.wanted = told.phase, told.release, told.wanted
        seen.reason = told.reason
        _heard(seen, told.ts, retained, now)

    def _hear_event(self, seen: Seen, told: OtaEvent, now: float) -> None:
        boot, last = seen.events
        restarted = boot != told.boot_id or told.seq == 0  # the agent counts from 0 again
        if not restarted and told.seq > last + 1:
            self._events_lost += told.seq - last - 1
        if restarted or told.seq > last:
            seen.events = (told.boot_id, told.seq)
        seen.heard = now

    # --- counting ----------------------------------------------------------------------------

    def _of(self, device_class: str | None) -> Iterator[tuple[str, Seen]]:
        for name, seen in self._devices.items():
            if device_class is None or seen.device_class in (None, device_class):
                yield name, seen

    def _fate(self, seen: Seen, release: str, now: float) -> str:
        if seen.wanted != release:
            return "succeeded" if seen.release == release else "untouched"
        if seen.phase is Phase.COMMITTED:
            return "succeeded"
        if seen.phase.ended:
            return "untouched" if seen.reason is Reason.CANCELLED else "failed"
        if seen.phase is Phase.IDLE:
            return "succeeded" if seen.release == release else "untouched"
        return "silent" if seen.silent(now, self._silent_after) else "under way"

    def _waves(
        self, devices: Mapping[str, Seen], release: str, now: float, waves: Sequence[int]
    ) -> Iterator[WaveCounts]:
        fates: list[Counter[str]] = [Counter() for _ in (*waves, BUCKETS)]
        for name, seen in devices.items():
            wave = bisect_right(waves, bucket(name, release))
            fates[wave][self._fate(seen, release, now)] += 1
        for bound, counted in zip(waves, fates, strict=False):
            yield WaveCounts(bound, counted.total(), _tally(counted))
        if not waves or waves[-1] < BUCKETS:
            rest = fates[-1]
            yield WaveCounts(BUCKETS, rest.total(), _tally(rest), signed=False)


def _newest(devices: Iterable[Seen]) -> str | None:
    seen = {name for one in devices for name in (one.wanted, one.release)}
    return max((name for name in seen if name), key=numbers, default=None)


def _heard(seen: Seen, ts: float, retained: bool, now: float) -> None:
    seen.heard = max(seen.heard, min(ts, now)) if retained else now


def _tally(fates: Counter[str]) -> Tally:
    begun = fates.total() - fates["untouched"]
    return Tally(begun, fates["succeeded"], fates["failed"], fates["silent"])


def _counts(names: Iterator[str]) -> dict[str, int]:
    return dict(Counter(names).most_common(32))
