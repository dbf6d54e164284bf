"""What may be said about an outcome: a few short spoken sentences, all of them true.

The executor tells what happened in an ``Outcome``; nothing else is spoken from, so no reply can
promise what no device confirmed. The same sentences train the language model and are spoken by
the cascade, so every text is lower-case words with numbers spelled out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from services.language.outcome import DeviceResult, Outcome
from services.language.refusals import refused
from services.language.spoken import number_words, spoken

Replies = tuple[str, ...]

NOT_UNDERSTOOD: Replies = (
    "sorry i didn't understand that",
    "sorry i didn't catch that",
    "i did not understand",
)
CANCELLED: Replies = ("okay", "all right", "never mind then")

_FAILURES: dict[str, Replies] = {
    "not_understood": NOT_UNDERSTOOD,
    "cancelled": ("okay cancelled", "okay i stopped"),
    "no_device": ("i can't find that", "sorry i can't find that", "i don't know that device"),
    "no_area": ("i can't find that room", "sorry i don't know that room"),
    "no_timer": ("there is no timer running", "no timer is running"),
    "offline": ("i can't reach the home right now", "sorry the home is not connected"),
    "unsupported": ("sorry i can't do that", "i can't do that"),
    "ambiguous": ("sorry which one do you mean", "which one do you mean"),
}
_EXCUSES = {
    "timeout": "did not answer",
    "unavailable": "not available",
    "rejected": "refused",
}
_NAMED = 3  # more devices than this are counted, not named


def replies(outcome: Outcome) -> Replies:
    """The allowed replies to an outcome, the plainest first; never empty.

    Facts read: ``time`` (``HH:MM``, 24 hours) and ``date`` (ISO), both also taken as ready words;
    ``remaining_s``, ``duration_s`` whole seconds. A result's ``state`` may be written (``21.5 °C``)
    or spoken.
    """
    if outcome.error is not None:
        told = _FAILURES.get(outcome.error) or refused(outcome.call, outcome.error)
        return told or _FAILURES["unsupported"]
    teller = _TELLERS.get(outcome.call.name)
    return teller(outcome) if teller else _FAILURES["unsupported"]


def duration_words(seconds: int) -> str:
    """``3660`` → ``one hour and one minute``; zero and less are ``no time``."""
    hours, rest = divmod(max(seconds, 0), 3600)
    parts = ((hours, "hour"), (rest // 60, "minute"), (rest % 60, "second"))
    said = [f"{number_words(n)} {unit}{'s' if n != 1 else ''}" for n, unit in parts if n]
    return joined(said) or "no time"


def time_words(text: str) -> str:
    """``14:05`` → ``two oh five in the afternoon``; other texts are only folded to words."""
    found = re.fullmatch(r"(\d{1,2}):(\d{2})(?::\d{2})?", text.strip())
    if not found:
        return spoken(text)
    hour, minute = int(found[1]), int(found[2])
    part = "morning" if hour < 12 else "afternoon" if hour < 18 else "evening"
    past = number_words(minute) if minute > 9 else f"oh {number_words(minute)}"
    return f"{number_words(hour % 12 or 12)} {past if minute else _ON_THE_HOUR} in the {part}"


_ON_THE_HOUR = "o'clock"

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_ORDINALS = {
    1: "first", 2: "second", 3: "third", 5: "fifth", 8: "eighth", 9: "ninth", 12: "twelfth",
    20: "twentieth", 30: "thirtieth",
}  # fmt: skip


def ordinal_words(value: int) -> str:
    """``21`` → ``twenty first``; 1..99."""
    if value in _ORDINALS:
        return _ORDINALS[value]
    if value > 20 and value % 10:
        return f"{number_words(value - value % 10)} {ordinal_words(value % 10)}"
    return number_words(value) + "th"


def date_words(text: str) -> str:
    """``2026-03-21`` → ``march twenty first``; other texts are only folded to words."""
    found = re.fullmatch(r"\d{4}-(\d{2})-(\d{2})", text.strip())
    if not found or not 1 <= int(found[1]) <= 12 or not 1 <= int(found[2]) <= 31:
        return spoken(text)
    return f"{_MONTHS[int(found[1]) - 1]} {ordinal_words(int(found[2]))}"


def joined(parts: Sequence[str]) -> str:
    """``a b and c``: a spoken list."""
    return " and ".join(filter(None, (" ".join(parts[:-1]), *parts[-1:])))


def _are(name: str) -> str:
    last = name.split()[-1] if name else ""
    return "are" if last.endswith("s") and not last.endswith("ss") else "is"


def _the(name: str) -> str:
    return name if name.split()[:1] in (["the"], ["my"], ["our"]) else f"the {name}"


def state_words(state: str) -> str:
    """A state as it is said: ``21.5 °C`` → ``twenty one point five degrees``."""
    return spoken(re.sub(r"°\s*[CFcf]\b", "°", state).replace("_", " "))


def _wanted(outcome: Outcome, result: DeviceResult) -> str:
    """What a confirmed result says of a device: its own state, else what the call asked for."""
    args = outcome.call.args
    if outcome.call.name == "HassLightSet":
        if "color" in args:
            return str(args["color"])
        level = int(args.get("brightness", 0))
        return f"at {number_words(level)} percent" if level else "off"
    if outcome.call.name == "HassTurnOn" and result.entity_id.startswith("lock."):
        return "locked"
    return "on" if outcome.call.name == "HassTurnOn" else "off"


def _commanded(outcome: Outcome) -> Replies:
    done = [r for r in outcome.results if r.status == "confirmed"]
    failed = [r for r in outcome.results if r.status != "confirmed"]
    if not outcome.results:
        return _FAILURES["no_device"]
    if failed:
        return (_mixed(outcome, done, failed),)
    wanted = _wanted(outcome, done[0])
    subject = _subject(outcome, done)
    sentence = f"{subject} {_are(subject)} {wanted}"
    return sentence, f"okay {sentence}", f"{sentence} now"


def _subject(outcome: Outcome, results: Sequence[DeviceResult]) -> str:
    """What a call with one fate was about: its one device, its room's lights, or all lights."""
    args = outcome.call.args
    if len(results) == 1:
        return _the(spoken(results[0].name))
    if "area" in args:
        return f"the {args['area']} lights"
    if "name" in args:
        return _the(str(args["name"]))
    return "all lights"


def _mixed(outcome: Outcome, done: Sequence[DeviceResult], failed: Sequence[DeviceResult]) -> str:
    """Some or all failed: each fate told exactly, by name while few, else by count."""
    total = len(done) + len(failed)
    counted = total > _NAMED
    parts = []
    if done:
        wanted = _wanted(outcome, done[0])
        subject = _count(len(done), total) if counted else _names(done)
        verb = "are" if len(done) > 1 else "is" if counted else _are(subject)
        parts.append(f"{subject} {verb} {wanted}")
    excuses = [_excuse(fate, [r for r in failed if r.status == fate], counted) for fate in _EXCUSES]
    told = [*parts, *(excuse for excuse in excuses if excuse)]
    if not done:
        return " and ".join(told)
    return f"{told[0]} but {' and '.join(told[1:])}"


def _count(number: int, total: int) -> str:
    return f"{number_words(number)} of {number_words(total)} lights"


def _names(results: Sequence[DeviceResult]) -> str:
    return joined([_the(spoken(r.name)) for r in results])


def _excuse(fate: str, results: Sequence[DeviceResult], counted: bool) -> str:
    if not results:
        return ""
    subject = number_words(len(results)) if counted else _names(results)
    if fate != "unavailable":
        return f"{subject} {_EXCUSES[fate]}"
    plural = len(results) > 1 or (not counted and _are(subject) == "are")
    return f"{subject} {'are' if plural else 'is'} {_EXCUSES[fate]}"


def _asked(outcome: Outcome) -> Replies:
    if not outcome.results:
        return _FAILURES["no_device"]
    result = outcome.results[0]
    name = _the(spoken(result.name))
    if result.status != "confirmed":
        return (_excuse(result.status, [result], False),)
    if not result.state or not state_words(result.state):
        return (f"i don't know the state of {name}", f"i have no state of {name} yet")
    sentence = f"{name} {_are(name)} {state_words(result.state)}"
    return sentence, f"{sentence} right now"


def _timer_started(outcome: Outcome) -> Replies:
    said = duration_words(int(outcome.facts.get("duration_s", 0)))
    return f"timer set for {said}", f"okay {said} from now", f"i set a timer for {said}"


def _timer_told(outcome: Outcome) -> Replies:
    if "remaining_s" not in outcome.facts:
        return _FAILURES["no_timer"]
    left = duration_words(int(outcome.facts["remaining_s"]))
    return f"{left} left", f"you have {left} left", f"there is {left} left on the timer"


def _clock(outcome: Outcome) -> Replies:
    if "time" not in outcome.facts:
        return ("i don't know the time",)
    said = time_words(str(outcome.facts["time"]))
    return f"it is {said}", f"it's {said}"


def _calendar(outcome: Outcome) -> Replies:
    if "date" not in outcome.facts:
        return ("i don't know the date",)
    said = date_words(str(outcome.facts["date"]))
    return f"it is {said}", f"today is {said}"


_TELLERS: dict[str, Callable[[Outcome], Replies]] = {
    "HassTurnOn": _commanded,
    "HassTurnOff": _commanded,
    "HassLightSet": _commanded,
    "HassGetState": _asked,
    "HassStartTimer": _timer_started,
    "HassCancelTimer": lambda _: ("timer cancelled", "okay the timer is cancelled"),
    "HassTimerStatus": _timer_told,
    "HassGetCurrentTime": _clock,
    "HassGetCurrentDate": _calendar,
    "HassNevermind": lambda _: CANCELLED,
}
