"""What may be said about timers; the oldest, about one without a name, are in ``replies``."""

from __future__ import annotations

from services.language.phrases import joined
from services.language.reply_facts import LISTED, Facts, Replies, places
from services.language.spoken import number_words, spoken
from services.language.spoken_time import duration_words


def timer_label(facts: Facts, place: str = "") -> str:
    """``the pizza timer``, ``the five minute timer``, or ``the timer``."""
    name = spoken(str(facts.get(f"name{place}", "")))
    duration_s = int(facts.get(f"duration_s{place}", 0))
    what = name or " ".join(_singular(duration_words(duration_s)) if duration_s else ())
    what = what.removeprefix("the ").removeprefix("my ").removesuffix("timer").strip()
    return f"the {what} timer" if what else "the timer"


def _singular(words: str) -> list[str]:
    """``one hour and five minutes`` → one hour five minute."""
    return [word.rstrip("s") if word in _UNITS else word for word in words.split() if word != "and"]


_UNITS = frozenset({"hours", "minutes", "seconds"})


def started(facts: Facts) -> Replies:
    if "name" not in facts:
        return ()
    said, label = duration_words(int(facts["duration_s"])), timer_label({"name": facts["name"]})
    return f"{label} is set for {said}", f"okay {said} on {label}"


def cancelled(facts: Facts) -> Replies:
    if not facts:
        return ()
    label = timer_label(facts)
    return f"{label} is cancelled", f"okay {label} is cancelled"


def all_cancelled(facts: Facts) -> Replies:
    count = int(facts["count"])
    if count == 1:
        return ("your timer is cancelled", "okay the timer is cancelled")
    said = number_words(count)
    return f"all {said} timers are cancelled", f"okay {said} timers cancelled"


def changed(facts: Facts) -> Replies:
    added_s = int(facts["added_s"])
    said = duration_words(abs(added_s))
    change = f"added {said}" if added_s > 0 else f"took off {said}"
    left_s = int(facts["remaining_s"])
    label = timer_label(facts)
    if not left_s:
        return f"{label} is over now", f"i {change} and {label} is over"
    left = duration_words(left_s)
    return f"{label} now has {left} left", f"i {change} and {label} has {left} left"


def paused(facts: Facts) -> Replies:
    label, left = timer_label(facts), duration_words(int(facts["remaining_s"]))
    return f"{label} is paused with {left} left", f"okay {label} is paused"


def resumed(facts: Facts) -> Replies:
    label, left = timer_label(facts), duration_words(int(facts["remaining_s"]))
    return f"{label} goes on with {left} left", f"okay {label} is running again"


def standing(facts: Facts) -> Replies:
    if "count" not in facts:
        if not facts.keys() & {"name", "paused", "duration_s"}:
            return ()
        return (_one(facts, ""),)
    count = int(facts["count"])
    parts = [_one(facts, f"_{place}") for place in places(facts)]
    head = f"you have {number_words(count)} timers"
    if count > LISTED:
        return (f"{head} first {joined(parts)}",)
    return f"{head} {joined(parts)}", joined(parts)


def _one(facts: Facts, place: str) -> str:
    left = duration_words(int(facts[f"remaining_s{place}"]))
    verb = "is paused with" if f"paused{place}" in facts else "has"
    return f"{timer_label(facts, place)} {verb} {left} left"


def which(facts: Facts) -> Replies:
    labels = [timer_label(facts, f"_{place}") for place in places(facts)]
    if len(set(labels)) < len(labels):
        return (f"which one you have {number_words(int(facts['count']))} like that",)
    return (f"which timer {' or '.join(labels)}", "which timer do you mean")
