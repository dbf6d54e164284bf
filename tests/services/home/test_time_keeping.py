"""Whatever people and power do: nothing is lost, nothing rings twice, nothing rings early."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.home.ringing import Ring
from tests.support.time_keeping import KeptTime

HOUR = 3600.0
DAY = 24 * HOUR
YEAR = 365 * DAY
STEP_S = 240.0  # between looks at the clock: nobody is too late for what happened meanwhile


@dataclass
class Expected:
    """A timer as the person who set it counts it, in real time."""

    left_s: float
    paused: bool = False


class TimeIsKept(RuleBasedStateMachine):
    """Timers count real time, on or off; alarms follow a wall clock that may be wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.box = KeptTime(Path(self.folder.name))
        self.wrong_s = 0.0
        self.doubtful = False
        """The wall clock was wrong when the machine started, and is still."""
        self.timers: dict[str, Expected] = {}
        self.alarms: dict[str, str] = {}
        self.seen = 0
        self.count = 0
        self.told: Counter[str] = Counter()

    # --- what people do ----------------------------------------------------------------------

    @rule(seconds=st.integers(1, 5_000))
    def start(self, seconds: int) -> None:
        if len(self.box.desk.timers.all()) < 20:
            name = self.fresh("timer")
            assert self.box.ask("HassStartTimer", seconds=seconds, name=name).error is None
            self.timers[name] = Expected(seconds)

    @precondition(lambda self: self.timers)
    @rule(data=st.data(), what=st.sampled_from(["Cancel", "Pause", "Unpause", "Increase"]))
    def change(self, data: st.DataObject, what: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.timers)))
        timer = self.timers[name]
        more = {"seconds": 90} if what == "Increase" else {}
        assert self.box.ask(f"Hass{what}Timer", name=name, **more).error is None
        if what == "Cancel":
            del self.timers[name]
        elif what == "Increase":
            timer.left_s += 90
        else:
            timer.paused = what == "Pause"
            if timer.paused and self.doubtful:  # held at what the box believes: none knows better
                (held,) = (t for t in self.box.desk.timers.all() if t.name == name)
                timer.left_s = held.left_s(self.box.clock_s)

    @rule(hour=st.integers(0, 23), minute=st.integers(0, 59))
    def set_alarm(self, hour: int, minute: int) -> None:
        if self.box.desk.clocks.moment().wall_is_set and len(self.alarms) < 20:
            name, time = self.fresh("alarm"), f"{hour:02}:{minute:02}"
            assert self.box.ask("LinnetSetAlarm", time=time, name=name).error is None
            self.alarms[name] = time

    @precondition(lambda self: self.alarms)
    @rule(data=st.data())
    def cancel_alarm(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.alarms)))
        assert self.box.ask("LinnetCancelAlarm", name=name).error is None
        del self.alarms[name]

    # --- what happens to the box -------------------------------------------------------------

    @rule(seconds=st.floats(0, 4 * HOUR))
    def wait(self, seconds: float) -> None:
        while seconds > 0:
            step = min(seconds, STEP_S)
            self.pass_time(step)
            self.box.wait(step)
            self.listen()
            seconds -= step

    @rule(off_s=st.floats(0, 600))
    def restart(self, off_s: float) -> None:
        self.pass_time(off_s)
        self.box.restart(off_s)
        self.listen()

    @precondition(lambda self: not self.wrong_s)
    @rule(off_s=st.floats(0, 3 * HOUR), behind_s=st.sampled_from([0.0, 0.0, 2 * HOUR, 50 * YEAR]))
    def cut_power(self, off_s: float, behind_s: float) -> None:
        self.pass_time(off_s)
        self.wrong_s, self.doubtful = -behind_s, behind_s > 0
        self.box.cut_power(off_s, wall_moved_s=-behind_s)
        self.listen()

    @precondition(lambda self: not self.wrong_s)
    @rule(years=st.sampled_from([-50, -3, 3, 40]))
    def break_clock(self, years: int) -> None:
        self.wrong_s = years * YEAR
        self.box.set_wall(self.wrong_s)
        self.listen()

    @precondition(lambda self: self.wrong_s)
    @rule()
    def mend_clock(self) -> None:
        moved_s, self.wrong_s, self.doubtful = -self.wrong_s, 0.0, False
        self.box.set_wall(moved_s)
        self.listen()

    # --- what must be true -------------------------------------------------------------------

    @invariant()
    def what_is_kept_is_what_is_expected(self) -> None:
        kept = {t.name for t in self.box.desk.timers.all()}
        assert kept == set(self.timers)
        assert {a.name for a in self.box.desk.alarms.all()} == set(self.alarms)

    @invariant()
    def what_is_left_is_never_less_than_true_and_exact_where_it_can_be(self) -> None:
        now_s = self.box.clock_s
        for timer in self.box.desk.timers.all():
            true_s = self.timers[str(timer.name)].left_s
            assert timer.left_s(now_s) >= true_s - 0.01
            assert self.doubtful or timer.left_s(now_s) <= true_s + 0.01

    def teardown(self) -> None:
        if self.wrong_s:
            self.mend_clock()
        self.wait(DAY + HOUR)
        for name in [n for n, t in self.timers.items() if not t.paused]:
            assert self.told[name] == 1, "every timer and alarm comes in the end"
        assert not self.alarms
        self.folder.cleanup()

    # --- helpers -----------------------------------------------------------------------------

    def fresh(self, what: str) -> str:
        self.count += 1
        return f"{what} {self.count}"

    def pass_time(self, seconds: float) -> None:
        for timer in self.timers.values():
            timer.left_s -= 0 if timer.paused else seconds

    def listen(self) -> None:
        """Look at what has begun to ring, and stop it."""
        begun = self.box.begun[self.seen :]
        self.seen += len(begun)
        self.box.ask("LinnetStop")
        for ring in begun:
            name = str(ring.name)
            self.told[name] += 1
            assert self.told[name] == 1, "nothing rings twice"
            if ring.kind == "timer":
                assert self.timers.pop(name).left_s <= 0.01, "nothing rings early"
            else:
                assert self.alarms.pop(name) == ring.time
                self.is_not_early(ring)

    def is_not_early(self, ring: Ring) -> None:
        """The wall clock, right or wrong, has come to the alarm's time within the last step."""
        hour, minute = (int(part) for part in str(ring.time).split(":"))
        now = self.box.desk.clocks.local()
        past_s = ((now.hour - hour) * 60 + now.minute - minute) * 60 % DAY
        assert ring.late or past_s <= STEP_S + HOUR, "an hour for summer time"


TestTimeIsKept = TimeIsKept.TestCase
TestTimeIsKept.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes and hides why
)
