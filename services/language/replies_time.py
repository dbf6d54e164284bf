"""What may be said about what needs no device, from the facts alone.

The plainest replies about one unnamed timer, the time and the date are older, are what a speech
model was trained on, and stay in ``replies``; ``told`` is empty for them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from services.language import replies_alarms as alarms
from services.language import replies_timers as timers
from services.language.outcome import Outcome
from services.language.replies_alarms import DAY_NAMES, alarm_name
from services.language.replies_timers import timer_label
from services.language.reply_facts import Facts, Replies
from services.language.spoken import number_words, spoken
from services.language.spoken_quantity import quantity_words
from services.language.spoken_time import duration_words, time_words

_FAILURES: dict[str, Replies] = {
    "no_alarm": ("there is no alarm set", "no alarm is set"),
    "no_reminder": ("there is no such reminder", "i don't have that reminder"),
    "no_reminders": ("you have no reminders", "there is nothing to remind you of"),
    "nothing_rings": ("nothing is ringing", "there is nothing to snooze"),
    "nothing_said": ("i have not said anything yet", "there is nothing to repeat"),
    "zero_divisor": ("nothing can be divided by zero", "i can't divide by zero"),
    "too_large": ("that number is too large for me", "that is too large to say"),
    "time_is_over": ("that time is over already today", "it is later than that already"),
    "clock_not_set": ("i don't know what time it is yet", "my clock is not set yet"),
}


def told(outcome: Outcome) -> Replies:
    """The allowed replies, the plainest first; empty where another module has them."""
    if outcome.error is None:
        teller = _TELLERS.get(outcome.call.name)
        return teller(outcome.facts) if teller else ()
    if outcome.error in _QUESTIONS and outcome.facts:
        return _QUESTIONS[outcome.error](outcome.facts)
    return _FAILURES.get(outcome.error, ())


def _snoozed(facts: Facts) -> Replies:
    said = duration_words(int(facts["duration_s"]))
    return f"okay again in {said}", f"snoozed for {said}"


def _stopped(facts: Facts) -> Replies:
    return ("okay", "okay stopped") if facts else ("okay",)


def _repeated(facts: Facts) -> Replies:
    return (spoken(str(facts.get("text", ""))) or "i said nothing",)


def _sum(facts: Facts) -> Replies:
    said = quantity_words(str(facts["value"]))
    about = "about " if "rounded" in facts else ""
    return f"that is {about}{said}", f"it is {about}{said}"


def _loudness(facts: Facts) -> Replies:
    level = int(facts["level"])
    said = f"the volume is at {number_words(level)} percent"
    if level in (0, 100):
        return (said, "the volume is off" if level == 0 else "that is as loud as i can be")
    return said, f"okay {said}"


def _muted(facts: Facts) -> Replies:
    return (
        # "unmute" is not among the sentences that can be spoken.
        "my sound is off and i still listen say louder or type unmute to hear me again",
        "my sound is off",
    )


def _unmuted(facts: Facts) -> Replies:
    said = f"my sound is on at {number_words(int(facts['level']))} percent"
    return said, f"okay {said}"


def _microphone(facts: Facts) -> Replies:
    return (
        "my microphone is opened and closed by its mute switch not by words"
        " for once it is closed i could not hear you open it",
        "only the mute switch opens and closes my microphone",
    )


def _weekday(facts: Facts) -> Replies:
    if "date" not in facts:
        return ("i don't know the date",)
    said = tuple(DAY_NAMES.values())[date.fromisoformat(str(facts["date"])).weekday()]
    return f"it is {said}", f"today is {said}"


def _rung(facts: Facts) -> Replies:
    """What is said when something begins to ring, see ``home.ringing.outcome``.

    Only a timer knows that the box was off; what follows the wall clock may be late for another
    reason, and says no more than that.
    """
    kind, late = str(facts["kind"]), bool(facts.keys() & {"late", "missed"})
    if kind == "timer":
        return (f"{timer_label(facts)} {'ended while i was off' if late else 'is over'}",)
    if kind == "reminder":
        head = "i missed a reminder" if "missed" in facts else f"a {'late ' * late}reminder"
        return (f"{head} {spoken(str(facts.get('text', '')))}".strip(),)
    name, at = alarm_name(facts) or "your alarm", time_words(str(facts.get("time", "")))
    if "missed" in facts:
        return (f"{name} for {at} did not ring in time",)
    return (f"{name} for {at} is late" if late else f"{name} it is {at}",)


_QUESTIONS: dict[str, Callable[[Facts], Replies]] = {
    "which_timer": timers.which,
    "which_alarm": alarms.which_alarm,
    "which_reminder": alarms.which_reminder,
}
_TELLERS: dict[str, Callable[[Facts], Replies]] = {
    "HassStartTimer": timers.started,
    "HassCancelTimer": timers.cancelled,
    "HassCancelAllTimers": timers.all_cancelled,
    "HassIncreaseTimer": timers.changed,
    "HassDecreaseTimer": timers.changed,
    "HassPauseTimer": timers.paused,
    "HassUnpauseTimer": timers.resumed,
    "HassTimerStatus": timers.standing,
    "HassSetVolume": _loudness,
    "HassSetVolumeRelative": _loudness,
    "HassMediaPlayerMute": _muted,
    "HassMediaPlayerUnmute": _unmuted,
    "LinnetMicrophone": _microphone,
    "LinnetSetAlarm": alarms.alarm_set,
    "LinnetCancelAlarm": alarms.alarm_cancelled,
    "LinnetAlarmStatus": alarms.standing,
    "LinnetReminder": alarms.reminder_set,
    "LinnetReminderStatus": alarms.reminders_told,
    "LinnetCancelReminder": alarms.reminder_cancelled,
    "LinnetSnooze": _snoozed,
    "LinnetStop": _stopped,
    "LinnetRepeat": _repeated,
    "LinnetArithmetic": _sum,
    "LinnetDayOfWeek": _weekday,
    "LinnetRing": _rung,
}
