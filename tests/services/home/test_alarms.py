"""Alarms and reminders, by the wall clock of a house in Berlin."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from services.home.alarms import MAX_ALARMS
from services.language.replies_zh_cn import replies as chinese
from tests.support.time_keeping import BERLIN, KeptTime

SATURDAY_NIGHT = datetime(2026, 3, 28, 23, 0, tzinfo=BERLIN)
"""Clocks go forward in the night to come."""


def test_an_alarm_rings_once_at_its_time() -> None:
    box = KeptTime()
    assert box.hear("LinnetSetAlarm", time="7:30") == (
        "alarm set for seven thirty in the morning today"
    )
    box.wait_until("2026-03-09 07:29")
    assert box.rung == []
    box.wait_until("2026-03-09 07:30")
    assert [ring.time for ring in box.rung] == ["07:30"]
    box.ask("LinnetStop")
    box.wait_until("2026-03-10 07:30")
    assert len(box.rung) == 1
    assert box.hear("LinnetAlarmStatus") == "there is no alarm set"


def test_a_time_that_has_passed_is_tomorrow() -> None:
    box = KeptTime()
    assert box.hear("LinnetSetAlarm", time="06:30", name="early") == (
        "the early alarm is set for six thirty in the morning tomorrow"
    )
    assert box.hear("LinnetSetAlarm", time="06:30", day="today") == (
        "that time is over already today"
    )
    told = box.ask("LinnetSetAlarm", time="8:00", day="tomorrow").facts
    assert told == {"time": "08:00", "day": "tomorrow"}


def test_an_alarm_for_a_day_of_the_week_rings_on_that_day_alone() -> None:
    box = KeptTime()
    assert box.hear("LinnetSetAlarm", time="07:00", day="wed") == (
        "alarm set for seven o'clock in the morning on wednesday"
    )
    rung_on = []
    for day in range(10, 26):
        box.wait_until(f"2026-03-{day} 07:00")
        if box.ask("LinnetStop").facts:
            rung_on.append(day)
    assert rung_on == [11]


def test_the_weekday_it_is_means_today_until_that_hour_and_then_next_week() -> None:
    box = KeptTime()
    assert box.ask("LinnetSetAlarm", time="07:30", day="mon").facts["day"] == "today"
    box.ask("LinnetSetAlarm", time="07:00", day="mon")
    box.wait_until("2026-03-09 07:30")
    box.wait_until("2026-03-10 07:00")
    assert [ring.time for ring in box.rung] == ["07:30"]
    box.wait_until("2026-03-16 07:00")
    assert [ring.time for ring in box.rung] == ["07:30", "07:00"]


def test_a_day_cannot_be_one_and_many() -> None:
    assert KeptTime().ask("LinnetSetAlarm", time="07:00", day="mon", days="mon").error == (
        "unsupported"
    )


def test_an_alarm_on_weekdays_comes_again_and_leaves_out_the_weekend() -> None:
    box = KeptTime()
    assert box.hear("LinnetSetAlarm", time="07:00", days="weekdays") == (
        "alarm set for seven o'clock in the morning every weekday"
    )
    rung_on = []
    for day in range(10, 24):
        box.wait_until(f"2026-03-{day} 07:00")
        if box.ask("LinnetStop").facts:
            rung_on.append(day)
    assert rung_on == [10, 11, 12, 13, 16, 17, 18, 19, 20, 23]


def test_days_are_chosen_by_name() -> None:
    box = KeptTime()
    assert box.hear("LinnetSetAlarm", time="21:00", days="wed,mon") == (
        "alarm set for nine o'clock in the evening every monday and wednesday"
    )
    assert box.ask("LinnetSetAlarm", time="21:00", days="mon,noday").error == "unsupported"
    assert box.ask("LinnetSetAlarm", time="21:00", days=",").error == "unsupported"


@pytest.mark.parametrize("time", ["24:00", "7", "seven", "07:60", "", "-1:00"])
def test_times_that_are_none(time: str) -> None:
    assert KeptTime().ask("LinnetSetAlarm", time=time).error == "unsupported"


def test_the_same_alarm_twice_is_one_alarm() -> None:
    box = KeptTime()
    box.ask("LinnetSetAlarm", time="09:00")
    box.ask("LinnetSetAlarm", time="9:00")
    assert len(box.desk.alarms.all()) == 1


def test_reminders_are_listed_the_next_to_come_first() -> None:
    box = KeptTime()
    assert box.hear("LinnetReminderStatus") == "you have no reminders"
    box.ask("LinnetReminder", text="call mom", time="07:00", day="tomorrow")
    assert box.hear("LinnetReminderStatus") == (
        "you have one reminder call mom at seven o'clock in the morning tomorrow"
    )
    box.ask("LinnetReminder", text="feed the cat", minutes=10)
    box.ask("LinnetSetAlarm", time="08:00")
    box.wait(60)
    assert box.hear("LinnetReminderStatus") == (
        "you have two reminders feed the cat in nine minutes"
        " and call mom at seven o'clock in the morning tomorrow"
    )
    assert chinese(box.ask("LinnetReminderStatus")) == (
        "有2个提醒，9分钟后feed the cat，明天07:00call mom",
    )


def test_of_many_reminders_the_first_are_told_and_how_many_there_are() -> None:
    box = KeptTime()
    for minutes in (40, 20, 30, 10):
        box.ask("LinnetReminder", text=f"look {minutes}", minutes=minutes)
    said = box.hear("LinnetReminderStatus")
    assert said.startswith("you have four reminders first look ten in ten minutes")
    assert "forty" not in said


def test_a_day_is_told_in_chinese_as_well() -> None:
    box = KeptTime()
    assert chinese(box.ask("LinnetSetAlarm", time="07:00", day="wed")) == ("闹钟已设在周三07:00",)
    assert chinese(box.ask("LinnetSetAlarm", time="07:00", day="today")) == (
        "今天这个时间已经过了",
    )


def test_several_alarms_are_told_and_asked_about() -> None:
    box = KeptTime()
    box.ask("LinnetSetAlarm", time="08:00")
    box.ask("LinnetSetAlarm", time="07:30", name="school")
    assert box.hear("LinnetAlarmStatus") == (
        "you have two alarms the school alarm at seven thirty in the morning today"
        " and eight o'clock in the morning today"
    )
    assert box.ask("LinnetCancelAlarm").error == "which_alarm"
    assert box.hear("LinnetCancelAlarm").startswith("which alarm the school alarm")
    assert box.hear("LinnetCancelAlarm", name="school") == "the school alarm is cancelled"
    assert box.hear("LinnetCancelAlarm") == (
        "the alarm for eight o'clock in the morning today is cancelled"
    )
    assert box.hear("LinnetCancelAlarm", time="08:00") == "there is no alarm set"


def test_only_so_many_alarms() -> None:
    box = KeptTime()
    for n in range(MAX_ALARMS):
        assert box.ask("LinnetSetAlarm", time=f"{8 + n // 60:02}:{n % 60:02}").error is None
    assert box.ask("LinnetSetAlarm", time="23:00").error == "unsupported"


# --- reminders -------------------------------------------------------------------------------


def test_a_reminder_after_a_while_and_one_at_a_time() -> None:
    box = KeptTime()
    assert box.hear("LinnetReminder", text="Take the bread out", minutes=20) == (
        "i will remind you in twenty minutes"
    )
    assert box.hear("LinnetReminder", text="call anna", time="18:00") == (
        "i will remind you at six o'clock in the evening today"
    )
    box.wait(20 * 60)
    assert [ring.text for ring in box.rung] == ["take the bread out"]
    box.ask("LinnetStop")
    box.wait_until("2026-03-09 18:00")
    assert box.rung[-1].text == "call anna"
    assert box.desk.timers.running() == (), "a reminder is no timer"


def test_a_reminder_is_no_alarm_and_is_cancelled_by_its_words() -> None:
    box = KeptTime()
    box.ask("LinnetReminder", text="call anna", time="18:00")
    box.ask("LinnetReminder", text="call the bank", minutes=5)
    assert box.ask("LinnetAlarmStatus").error == "no_alarm"
    assert box.ask("HassTimerStatus").error == "no_timer"
    assert box.hear("LinnetCancelReminder", text="call") == (
        "which reminder call the bank or call anna"
    )
    assert box.hear("LinnetCancelReminder", text="bank") == (
        "the reminder call the bank is cancelled"
    )
    assert box.ask("LinnetCancelReminder").error is None
    assert box.hear("LinnetCancelReminder") == "there is no such reminder"
    box.wait(24 * 3600)
    assert box.begun == []


@pytest.mark.parametrize(
    "arguments",
    [{"text": "x"}, {"minutes": 5}, {"text": "x", "minutes": 5, "time": "18:00"},
     {"text": "", "minutes": 5}, {"text": "x" * 201, "minutes": 5}, {"text": "x", "hours": 25},
     {"text": "x", "minutes": 5, "days": "daily"}],
)  # fmt: skip
def test_reminders_that_cannot_be(arguments: dict[str, str | int]) -> None:
    assert KeptTime().ask("LinnetReminder", **arguments).error == "unsupported"


# --- the nights when clocks change, and clocks that are wrong --------------------------------


def test_an_alarm_in_the_hour_that_is_left_out_rings_when_it_ends() -> None:
    box = KeptTime(start=SATURDAY_NIGHT)
    box.ask("LinnetSetAlarm", time="02:30", days="daily")
    box.wait_until("2026-03-29 01:59")
    assert box.rung == []
    box.wait(60)
    assert (box.local(), len(box.rung)) == ("2026-03-29 03:00", 1)
    box.ask("LinnetStop")
    box.wait_until("2026-03-30 02:29")
    assert len(box.rung) == 1
    box.wait(60)
    assert len(box.rung) == 2


def test_an_alarm_in_the_doubled_hour_rings_the_first_time_only() -> None:
    box = KeptTime(start=datetime(2026, 10, 24, 23, 0, tzinfo=BERLIN))
    box.ask("LinnetSetAlarm", time="02:30", days="daily")
    box.wait(3.5 * 3600)
    assert (box.local(), len(box.rung)) == ("2026-10-25 02:30", 1)
    box.ask("LinnetStop")
    box.wait(3600)
    assert (box.local(), len(box.rung)) == ("2026-10-25 02:30", 1)


def test_eight_in_the_morning_stays_eight_through_summer_time() -> None:
    box = KeptTime(start=SATURDAY_NIGHT)
    box.ask("LinnetSetAlarm", time="08:00")
    box.wait(7.99 * 3600)
    assert box.rung == []
    box.wait(0.01 * 3600)
    assert (box.local(), len(box.rung)) == ("2026-03-29 08:00", 1)


@pytest.mark.parametrize("years", [-40, -3, 3, 40])
def test_a_wall_clock_that_jumps_by_years_rings_nothing_and_loses_nothing(years: int) -> None:
    box = KeptTime()
    box.ask("LinnetSetAlarm", time="09:00")
    box.ask("LinnetSetAlarm", time="10:00", days="daily")
    box.ask("HassStartTimer", minutes=30)
    away_s = years * 365 * 24 * 3600
    box.set_wall(away_s)
    box.wait(60)
    box.set_wall(-away_s)
    assert box.begun == []
    box.wait_until("2026-03-09 07:35")
    assert [ring.kind for ring in box.rung] == ["timer"]
    box.wait_until("2026-03-09 09:00")
    box.wait_until("2026-03-09 10:00")
    assert [ring.time for ring in box.rung[1:]] == ["09:00", "10:00"]


def test_an_alarm_the_clock_was_corrected_past_rings_at_once() -> None:
    box = KeptTime()
    box.ask("LinnetSetAlarm", time="07:06")
    box.set_wall(90.0)
    assert [ring.late for ring in box.rung] == [True]


def test_a_correction_backwards_does_not_ring_again() -> None:
    box = KeptTime()
    box.ask("LinnetSetAlarm", time="07:06", days="daily")
    box.wait(60)
    box.ask("LinnetStop")
    box.set_wall(-120.0)
    box.wait(600)
    assert len(box.rung) == 1


def test_without_a_clock_that_is_set_no_alarm_is_promised() -> None:
    box = KeptTime(start=datetime(1970, 1, 1, 0, 0, tzinfo=BERLIN))
    assert box.hear("LinnetSetAlarm", time="07:00") == "i don't know what time it is yet"
    assert box.ask("LinnetReminder", text="x", time="07:00").error == "clock_not_set"
    assert box.hear("HassGetCurrentTime") == "i don't know the time"
    assert box.hear("LinnetDayOfWeek") == "i don't know the date"
    assert box.ask("LinnetReminder", text="x", minutes=1).error is None


def test_alarms_follow_the_zone_when_the_house_moves() -> None:
    box = KeptTime()
    box.ask("LinnetSetAlarm", time="12:00")
    box.zone = ZoneInfo("America/New_York")
    box.wait_until("2026-03-09 11:59")
    assert box.rung == []
    box.wait(60)
    assert len(box.rung) == 1
