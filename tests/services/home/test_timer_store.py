"""What is left of timers and alarms after restarts, power cuts, wrong clocks and a bad disk."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from services.home.desk import Desk
from services.home.ringing import RING_FOR_S, outcome
from services.home.timer_store import FILE_NAME
from services.language.replies import replies
from tests.support.time_keeping import BERLIN, KeptTime

ROOT = Path(__file__).parents[3]
HOUR = 3600.0
YEAR = 365 * 24 * HOUR


@pytest.fixture
def box(tmp_path: Path) -> KeptTime:
    return KeptTime(tmp_path)


def told(box: KeptTime) -> list[str]:
    return [replies(outcome(ring))[0] for ring in box.begun]


def test_timers_go_on_through_a_restart_of_the_program(box: KeptTime) -> None:
    box.ask("HassStartTimer", minutes=10, name="pizza")
    box.ask("HassStartTimer", minutes=20)
    box.ask("HassPauseTimer", start_minutes=20)
    box.wait(60)
    box.restart(off_s=60)
    assert box.ask("HassTimerStatus", name="pizza").facts["remaining_s"] == 8 * 60
    assert box.ask("HassTimerStatus", start_minutes=20).facts["remaining_s"] == 20 * 60
    box.wait(8 * 60)
    assert [ring.name for ring in box.rung] == ["pizza"]
    assert not box.rung[0].late


@pytest.mark.parametrize("moved_s", [-40 * YEAR, -HOUR, HOUR, 40 * YEAR])
def test_within_one_boot_no_wall_clock_can_move_a_timer(box: KeptTime, moved_s: float) -> None:
    box.ask("HassStartTimer", minutes=10)
    box.restart(off_s=60, wall_moved_s=moved_s)
    box.set_wall(-moved_s)
    assert box.ask("HassTimerStatus").facts == {"remaining_s": 9 * 60}


def test_a_power_cut_counts_as_time_that_passed(box: KeptTime) -> None:
    box.ask("HassStartTimer", minutes=10)
    box.cut_power(off_s=240)
    assert box.ask("HassTimerStatus").facts == {"remaining_s": 360}


def test_what_ended_while_off_rings_at_start_and_says_so(box: KeptTime) -> None:
    box.ask("HassStartTimer", minutes=5, name="egg")
    box.ask("LinnetSetAlarm", time="07:12")
    box.cut_power(off_s=10 * 60)
    assert told(box) == [
        "the egg timer ended while i was off",
        "your alarm for seven twelve in the morning is late",
    ]
    assert len(box.desk.ringer.rings) == 2
    box.cut_power(off_s=RING_FOR_S)
    assert len(box.begun) == 2, "it has rung"


def test_what_ended_long_before_is_told_once_and_does_not_ring(box: KeptTime) -> None:
    box.ask("HassStartTimer", minutes=5, name="egg")
    box.ask("LinnetSetAlarm", time="07:12")
    box.ask("LinnetReminder", text="feed the cat", time="07:10")
    box.cut_power(off_s=2 * HOUR)
    assert told(box) == [
        "the egg timer ended while i was off",
        "i missed a reminder feed the cat",
        "your alarm for seven twelve in the morning did not ring in time",
    ]
    assert box.rung == []
    for _ in range(10):
        box.wait(2)
    box.cut_power(off_s=60)
    assert (len(box.chimes), len(box.begun)) == (1, 3)


def test_a_weekly_alarm_that_was_missed_comes_again(box: KeptTime) -> None:
    box.ask("LinnetSetAlarm", time="07:12", days="daily")
    box.cut_power(off_s=2 * HOUR)
    assert (len(box.missed), box.rung) == (1, [])
    box.wait_until("2026-03-10 07:12")
    assert len(box.rung) == 1


def test_what_rang_when_the_power_went_rings_on(box: KeptTime) -> None:
    box.ask("LinnetSetAlarm", time="07:10")
    box.wait_until("2026-03-09 07:10")
    assert len(box.rung) == 1
    box.cut_power(off_s=60)
    assert len(box.desk.ringer.rings) == 1
    box.ask("LinnetStop")
    box.cut_power(off_s=60)
    assert not box.desk.ringer.rings


def test_a_box_without_a_clock_learns_the_time_after_it_started(box: KeptTime) -> None:
    box.ask("HassStartTimer", hours=1)
    box.ask("LinnetSetAlarm", time="09:00")
    lost_s = datetime(1970, 1, 1, tzinfo=BERLIN).timestamp() - box.wall_s
    box.cut_power(off_s=10 * 60, wall_moved_s=lost_s)
    box.wait(60)
    assert box.ask("HassTimerStatus").facts == {"remaining_s": 59 * 60}, "none can know better"
    box.set_wall(-lost_s)
    assert box.ask("HassTimerStatus").facts == {"remaining_s": 49 * 60}
    box.wait(49 * 60)
    box.wait_until("2026-03-09 09:00")
    assert [(ring.kind, ring.time) for ring in box.rung] == [("timer", None), ("alarm", "09:00")]


def test_a_clock_that_was_hours_behind_at_start_tells_what_it_missed(box: KeptTime) -> None:
    box.ask("HassStartTimer", minutes=30)
    box.ask("LinnetSetAlarm", time="07:30")
    box.cut_power(off_s=2 * HOUR, wall_moved_s=-2 * HOUR)
    assert box.begun == []
    box.set_wall(2 * HOUR)
    assert [(ring.kind, ring.missed) for ring in box.begun] == [("timer", True), ("alarm", True)]


@pytest.mark.parametrize("years", [-3, 3, 40])
def test_a_clock_wrong_by_years_at_start_loses_nothing(box: KeptTime, years: int) -> None:
    box.ask("HassStartTimer", hours=1)
    box.ask("LinnetSetAlarm", time="09:00")
    box.cut_power(off_s=10 * 60, wall_moved_s=years * YEAR)
    assert box.begun == []
    box.set_wall(-years * YEAR)
    assert box.ask("HassTimerStatus").facts == {"remaining_s": 50 * 60}
    box.wait(50 * 60)
    box.wait_until("2026-03-09 09:00")
    assert [ring.kind for ring in box.rung] == ["timer", "alarm"]


def test_a_second_power_cut_before_the_time_is_known_forgets_nothing(box: KeptTime) -> None:
    box.ask("HassStartTimer", hours=1)
    lost_s = -box.wall_s
    box.cut_power(off_s=10 * 60, wall_moved_s=lost_s)
    box.wait(60)
    box.cut_power(off_s=10 * 60, wall_moved_s=0)
    box.set_wall(-lost_s)
    assert box.ask("HassTimerStatus").facts == {"remaining_s": 39 * 60}


def test_a_killed_program_leaves_its_timer_to_the_next(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys; from services.home.desk import Desk;"
        "from services.home.functions import answer; from services.language.calls import Call;"
        "desk = Desk(folder=pathlib.Path(sys.argv[1]));"
        "answer(Call.of('HassStartTimer', hours=1, name='pizza'), desk); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    (timer,) = Desk(folder=tmp_path).timers.running()
    assert (timer.name, timer.anchor) == ("pizza", None), "the same start of the machine: exact"


# --- the file --------------------------------------------------------------------------------


def test_the_file_is_for_this_service_alone_and_says_its_version(box: KeptTime) -> None:
    box.ask("HassStartTimer", minutes=5)
    assert box.folder is not None
    path = box.folder / FILE_NAME
    assert path.stat().st_mode & 0o077 == 0
    assert json.loads(path.read_text())["schema_version"] == 1
    assert [p.name for p in box.folder.iterdir()] == [FILE_NAME]


def test_nothing_is_written_where_nothing_changes(box: KeptTime) -> None:
    assert box.folder is not None
    for _ in range(5):
        box.wait(1)
    box.ask("HassTimerStatus")
    assert list(box.folder.iterdir()) == []


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"\xff\xfe", b"[]", b'{"schema_version": 2}', b" " * 300_000,
     b'{"boot_id":"secret words","clock_s":1e999,"wall_s":0}'],
)  # fmt: skip
def test_a_damaged_file_is_moved_aside_and_said_once(
    tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(damage)
    with caplog.at_level(logging.ERROR):
        box = KeptTime(tmp_path)
    (record,) = caplog.records
    assert record.message == "state is damaged and moved aside; starting empty"
    assert "secret" not in str(record.__dict__), "the file may hold what people said"
    assert (tmp_path / f"{FILE_NAME}.damaged").read_bytes() == damage
    assert box.ask("HassStartTimer", minutes=5).error is None
    box.restart()
    assert box.ask("HassTimerStatus").facts == {"remaining_s": 300}


@pytest.mark.parametrize(
    ("where", "value"),
    [("left_s", 1e9), ("duration_s", 0), ("kind", "bomb"), ("name", "x" * 101), ("number", -1)],
)
def test_a_file_with_values_that_cannot_be_is_damaged(
    box: KeptTime, where: str, value: object
) -> None:
    box.ask("HassStartTimer", minutes=5)
    assert box.folder is not None
    path = box.folder / FILE_NAME
    state = json.loads(path.read_text())
    state["timers"][0][where] = value
    path.write_text(json.dumps(state))
    box.restart()
    assert box.ask("HassTimerStatus").error == "no_timer"


def test_a_disk_that_refuses_is_said_once_and_timers_still_ring(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "gone"
    box = KeptTime(folder)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert box.ask("HassStartTimer", minutes=5).error is None
    assert [r.message for r in caplog.records] == ["state cannot be saved"]
    box.wait(300)
    assert len(box.rung) == 3
