"""A box that keeps time: both its clocks are moved by hand, and power can be cut."""

from __future__ import annotations

from datetime import datetime, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from services.home.clock import Clocks
from services.home.desk import Desk
from services.home.functions import answer
from services.home.ringing import Chime, Ring
from services.language.calls import Call
from services.language.outcome import Outcome
from services.language.replies import replies

BERLIN = ZoneInfo("Europe/Berlin")
MORNING = datetime(2026, 3, 9, 7, 5, tzinfo=BERLIN)
"""A Monday."""


class KeptTime:
    """A desk, what it has rung, and the world around it."""

    def __init__(
        self, folder: Path | None = None, start: datetime = MORNING, zone: tzinfo = BERLIN
    ) -> None:
        self.clock_s, self.wall_s = 100.0, start.timestamp()
        self.zone, self.folder, self.boots = zone, folder, 1
        self.chimes: list[Chime] = []
        self.desk = self._opened()

    def _opened(self) -> Desk:
        clocks = Clocks(
            lambda: self.clock_s, lambda: self.wall_s, lambda: self.zone, f"boot-{self.boots}"
        )
        return Desk(self.chimes.append, clocks=clocks, folder=self.folder)

    # --- what people do ----------------------------------------------------------------------

    def ask(self, function: str, /, **arguments: str | int) -> Outcome:
        outcome = answer(Call.of(function, **arguments), self.desk)
        assert outcome is not None
        return outcome

    def hear(self, function: str, /, **arguments: str | int) -> str:
        """The plainest reply."""
        return replies(self.ask(function, **arguments))[0]

    # --- what happens to the box -------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        self.clock_s += seconds
        self.wall_s += seconds
        self.desk.tick()

    def wait_until(self, local: str) -> None:
        """``YYYY-MM-DD HH:MM``."""
        due = datetime.fromisoformat(local).replace(tzinfo=self.zone)
        self.wait(due.astimezone(timezone.utc).timestamp() - self.wall_s)

    def set_wall(self, moved_s: float) -> None:
        """Somebody, or the network, sets the wall clock."""
        self.wall_s += moved_s
        self.desk.tick()

    def restart(self, off_s: float = 0.0, wall_moved_s: float = 0.0) -> None:
        """The program ends and starts again; the machine stays up."""
        self.clock_s += off_s
        self.wall_s += off_s + wall_moved_s
        self.desk = self._opened()
        self.desk.tick()

    def cut_power(self, off_s: float, wall_moved_s: float = 0.0) -> None:
        """The machine is off for a while; it may come back with a wrong wall clock."""
        self.boots += 1
        self.clock_s = 7.0
        self.wall_s += off_s + wall_moved_s
        self.desk = self._opened()
        self.desk.tick()

    # --- what was heard ----------------------------------------------------------------------

    @property
    def begun(self) -> list[Ring]:
        """Everything that began to ring, or was told as missed, once each."""
        return [ring for chime in self.chimes for ring in chime.begun]

    @property
    def rung(self) -> list[Ring]:
        return [ring for ring in self.begun if not ring.missed]

    @property
    def missed(self) -> list[Ring]:
        return [ring for ring in self.begun if ring.missed]

    def local(self) -> str:
        return f"{self.desk.clocks.local():%Y-%m-%d %H:%M}"
