"""All that the appliance itself keeps in mind: timers, alarms, what rings, volume, last reply.

The parts are pure; this owner gives them the time, one lock, a file, and a voice to ring with. It
needs no broker. A thread of the home calls ``tick``; calls come in through ``functions.answer``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from services.home.alarms import Alarms
from services.home.clock import Clocks, Moment, system_clocks
from services.home.ringing import Chime, Ringer
from services.home.timer_store import FILE_NAME, Kept, keep, restore
from services.home.timers import Timers
from services.home.volume import Volume
from services.state_file import StateFile

STEP_S = 2.0
"""A wall clock that moves this far against the steady one has been set."""
MISSED_TOLD_S = 20.0
"""How long telling what was missed may take, which does not ring but must be heard as well."""
MAX_REPLY = 1_000  # characters of a reply that are remembered

Ringing = Callable[[Chime], bool | None]
"""False: nobody can hear it now; what it tells is offered again with the next chime."""


class Desk:
    """Safe from any thread; ``ring`` is called on the ticking thread, outside the lock."""

    def __init__(
        self,
        ring: Ringing = lambda chime: None,
        *,
        clocks: Clocks | None = None,
        folder: Path | None = None,
        volume: Volume | None = None,
    ) -> None:
        """
        Args:
            ring: told every two seconds while something rings, and once of what was missed.
            folder: where timers and alarms are kept; None: in memory only.
            volume: the appliance's own, which nothing hears where it is not given.
        """
        self.clocks = clocks or system_clocks()
        self.timers = Timers(self.clocks.clock)
        self.alarms = Alarms()
        self.ringer = Ringer()
        self.volume = volume or Volume()
        self.last_reply = ""
        """Words of the last reply; personal data, kept in memory only."""
        self._ring = ring
        self._lock = threading.Lock()
        self._hush = False
        self._telling_until_s = 0.0
        self._file = StateFile(folder / FILE_NAME, Kept) if folder else None
        moment = self.clocks.moment()
        self._offset_s = moment.offset_s
        self._saved = self._state()
        self._restore(moment)

    @contextmanager
    def changing(self) -> Iterator[Moment]:
        """Hold everything still; whatever was changed is on disk before this ends."""
        with self._lock:
            moment = self.clocks.moment()
            self._follow(moment)
            yield moment
            self._save()

    def tick(self) -> None:
        """Let ring what is due, and sound what rings."""
        with self.changing() as moment:
            if self._hush:
                self._hush = False
                self._telling_until_s = 0.0
                self.ringer.stop(moment.clock_s)
            zone = self.clocks.zone()
            for ring in (*self.timers.tick(), *self.alarms.tick(moment, zone)):
                self.ringer.begin(ring, moment.clock_s)
            chime = self.ringer.tick(moment.clock_s)
            if chime is not None and any(ring.missed for ring in chime.begun):
                self._telling_until_s = moment.clock_s + MISSED_TOLD_S
            self.volume.ring(bool(self.ringer.sounding) or moment.clock_s < self._telling_until_s)
        # Saved before it sounds: after a power cut it rings on.
        if chime is not None and self._ring(chime) is False:
            with self._lock:
                self.ringer.untold(chime)

    def hush(self) -> None:
        """End the ringing with the next tick; never waits, so the hearing thread may call it."""
        self._hush = True

    def replied(self, text: str) -> None:
        """Remember the words of a reply, to repeat them when asked to."""
        self.last_reply = text[:MAX_REPLY]

    def _follow(self, moment: Moment) -> None:
        """Notice that the wall clock was set."""
        moved_s = moment.offset_s - self._offset_s
        self._offset_s = moment.offset_s
        if abs(moved_s) > STEP_S:
            self.timers.settle(moment)
            self.alarms.stepped(moment, self.clocks.zone(), moved_s)
            self._saved = ()  # what is on disk is beside the old wall clock

    def _restore(self, moment: Moment) -> None:
        kept = self._file.load() if self._file else None
        if kept is None:
            return
        boot_id = self.clocks.boot_id
        restore(kept, moment, boot_id, self.timers, self.alarms, self.ringer)
        moved_s = moment.offset_s - kept.moment.offset_s
        if kept.boot_id == boot_id and abs(moved_s) > STEP_S:
            self.alarms.stepped(moment, self.clocks.zone(), moved_s)
        self._saved = ()  # what is on disk belongs to an earlier start

    def _state(self) -> tuple[object, ...]:
        return self.timers.all(), self.alarms.all(), self.ringer.sounding

    def _save(self) -> None:
        state = self._state()
        if self._file is None or state == self._saved:
            return
        self._saved = state
        boot_id = self.clocks.boot_id
        kept = keep(self.clocks.moment(), boot_id, self.timers, self.alarms, self.ringer)
        self._file.save(kept)
