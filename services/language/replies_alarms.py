"""What may be said about alarms and reminders."""

from __future__ import annotations

from services.language.phrases import joined
from services.language.reply_facts import LISTED, Facts, Replies, places
from services.language.spoken import number_words, spoken
from services.language.spoken_time import duration_words, time_words

DAY_NAMES = {
    "mon": "monday", "tue": "tuesday", "wed": "wednesday", "thu": "thursday", "fri": "friday",
    "sat": "saturday", "sun": "sunday",
}  # fmt: skip
_DAYS = {
    "mon,tue,wed,thu,fri,sat,sun": "every day",
    "mon,tue,wed,thu,fri": "every weekday",
    "sat,sun": "every weekend",
}


def _alarm_time(facts: Facts, place: str = "") -> str:
    """``seven o'clock in the morning tomorrow``, ``… every weekday``."""
    at = time_words(str(facts[f"time{place}"]))
    days = str(facts.get(f"days{place}", ""))
    if not days:
        day = str(facts.get(f"day{place}", ""))
        return f"{at} {day if day in ('', 'today', 'tomorrow') else f'on {day}'}".strip()
    named = joined([DAY_NAMES.get(day, "") for day in days.split(",")])
    return f"{at} {_DAYS.get(days) or f'every {named}'}"


def alarm_name(facts: Facts, place: str = "") -> str:
    name = spoken(str(facts.get(f"name{place}", ""))).removesuffix("alarm").strip()
    return f"the {name} alarm" if name else ""


def alarm_set(facts: Facts) -> Replies:
    at, name = _alarm_time(facts), alarm_name(facts)
    if name:
        return (f"{name} is set for {at}",)
    return f"alarm set for {at}", f"okay your alarm is set for {at}"


def alarm_cancelled(facts: Facts) -> Replies:
    if "time" not in facts:
        return ("alarm off", "okay the alarm is off")
    name = alarm_name(facts) or f"the alarm for {_alarm_time(facts)}"
    return f"{name} is cancelled", f"okay {name} is cancelled"


def standing(facts: Facts) -> Replies:
    if "count" not in facts:
        name = alarm_name(facts) or "your alarm"
        return (f"{name} is set for {_alarm_time(facts)}",)
    head = f"you have {number_words(int(facts['count']))} alarms"
    first = "first " if int(facts["count"]) > LISTED else ""
    return (f"{head} {first}{joined(_alarm_list(facts))}", head)


def _alarm_list(facts: Facts) -> list[str]:
    labels = []
    for place in places(facts):
        name, at = alarm_name(facts, f"_{place}"), _alarm_time(facts, f"_{place}")
        labels.append(f"{name} at {at}" if name else at)
    return labels


def which_alarm(facts: Facts) -> Replies:
    return (f"which alarm {' or '.join(_alarm_list(facts))}", "which alarm do you mean")


def reminder_set(facts: Facts) -> Replies:
    if "duration_s" in facts:
        said = duration_words(int(facts["duration_s"]))
        return f"i will remind you in {said}", f"okay i will remind you in {said}"
    at = _alarm_time(facts)
    return f"i will remind you at {at}", f"okay a reminder at {at}"


def reminders_told(facts: Facts) -> Replies:
    count = int(facts["count"])
    head = f"you have {number_words(count)} reminder{'s' if count > 1 else ''}"
    first = "first " if count > LISTED else ""
    return (f"{head} {first}{joined([_reminder(facts, f'_{n}') for n in places(facts)])}", head)


def _reminder(facts: Facts, place: str) -> str:
    """``feed the cat in ten minutes``, ``call mom at seven o'clock in the morning tomorrow``."""
    if f"remaining_s{place}" in facts:
        when = f"in {duration_words(int(facts[f'remaining_s{place}']))}"
    else:
        when = f"at {_alarm_time(facts, place)}"
    return f"{spoken(str(facts.get(f'text{place}', '')))} {when}".strip()


def reminder_cancelled(facts: Facts) -> Replies:
    what = spoken(str(facts.get("text", "")))
    return (f"the reminder {what} is cancelled",) if what else ("the reminder is cancelled",)


def which_reminder(facts: Facts) -> Replies:
    texts = [spoken(str(facts[f"text_{place}"])) for place in places(facts)]
    if not all(texts) or len(set(texts)) < len(texts):
        return ("which reminder do you mean",)
    return (f"which reminder {' or '.join(texts)}", "which reminder do you mean")
