"""What may be said about an outcome: a few short spoken sentences, all of them true.

The executor tells what happened in an ``Outcome``; nothing else is spoken from, so no reply can
promise what no device confirmed. The same sentences train the language model and are spoken by
the cascade, so every text is lower-case words with numbers spelled out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from services.language import replies_devices, replies_safety, replies_states, replies_time
from services.language.outcome import DeviceResult, Outcome
from services.language.phrases import are, joined, room, the
from services.language.refusals import refused
from services.language.spoken import number_words, spoken
from services.language.spoken_time import date_words, duration_words, time_words

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
    "one_at_a_time": (
        "i did nothing yet one thing at a time please",
        "please tell me these one by one",
    ),
    "ambiguous": ("sorry which one do you mean", "which one do you mean"),
    "unsure": ("is that what you mean",),
}
_EXCUSES = {
    "timeout": "did not answer",
    "unavailable": "not available",
    "rejected": "refused",
    "sent": "got the command and cannot confirm it",
}
_NAMED = 3  # more devices than this are counted, not named; of those away, more than this


def replies(outcome: Outcome) -> Replies:
    """The allowed replies to an outcome, the plainest first; never empty.

    Facts read: ``time`` (``HH:MM``, 24 hours) and ``date`` (ISO), both also taken as ready words;
    ``remaining_s``, ``duration_s`` whole seconds. A result's ``state`` may be written (``21.5 °C``)
    or spoken.
    """
    told = replies_time.told(outcome)
    if told:
        return told
    teller = _TELLERS.get(outcome.call.name)
    if replies_safety.tells(outcome):
        done = teller(outcome)[0] if teller and outcome.results else ""
        return replies_safety.replies(outcome, done)
    if outcome.error is not None:
        failed = _FAILURES.get(outcome.error) or refused(outcome.call, outcome.error)
        return failed or _FAILURES["unsupported"]
    return teller(outcome) if teller else _FAILURES["unsupported"]


def state_words(state: str) -> str:
    """A state as it is said: ``21.5 °C`` → ``twenty one point five degrees``."""
    return spoken(re.sub(r"°\s*[CFcf]\b", "°", state).replace("_", " "))


def _wanted(outcome: Outcome, result: DeviceResult) -> str:
    """What a confirmed result says of a device: its own state, else what the call asked for."""
    args = outcome.call.args
    told = replies_devices.wanted(outcome.call, result)
    if told is not None:
        return told
    if outcome.call.name == "HassLightSet":
        if "color" in args:
            return str(args["color"])
        if "temperature" in args:
            return f"at {number_words(int(args['temperature']))} kelvin"
        level = int(args.get("brightness", 0))
        return f"at {number_words(level)} percent" if level else "off"
    if outcome.call.name == "LinnetUndo":
        return "as before"
    return "on" if outcome.call.name == "HassTurnOn" else "off"


def _commanded(outcome: Outcome) -> Replies:
    done = [r for r in outcome.results if r.status == "confirmed"]
    failed = [r for r in outcome.results if r.status != "confirmed"]
    if not outcome.results:
        return _FAILURES["no_device"]
    if all(r.status == "sent" for r in outcome.results):
        return (f"okay i sent that to {_names(outcome.results)}",)
    if failed:
        return (_mixed(outcome, done, failed),)
    ends = {_wanted(outcome, result) for result in done}
    if len(ends) > 1:
        return (_done(outcome, done, len(done)),)
    wanted = ends.pop()
    subject = _subject(outcome, done)
    sentence = f"{subject} {are(subject)} {wanted}"
    return sentence, f"okay {sentence}", f"{sentence} now"


def _subject(outcome: Outcome, results: Sequence[DeviceResult]) -> str:
    """What a call with one fate was about: its one device, its room's lights, or all lights."""
    args = outcome.call.args
    if len(results) == 1:
        return the(spoken(results[0].name))
    if said := room(outcome.call):
        return f"{said} {replies_devices.kind(results)}"
    if said := spoken(str(args.get("name", ""))):
        return the(said)
    return f"all {replies_devices.kind(results)}"


def _mixed(outcome: Outcome, done: Sequence[DeviceResult], failed: Sequence[DeviceResult]) -> str:
    """Some or all failed: each fate told exactly, by name while few, else by count."""
    total = len(done) + len(failed)
    counted = total > _NAMED
    parts = [_done(outcome, done, total)] if done else []
    excuses = [_excuse(fate, [r for r in failed if r.status == fate], counted) for fate in _EXCUSES]
    told = [*parts, *(excuse for excuse in excuses if excuse)]
    if not done:
        return " and ".join(told)
    return f"{told[0]} but {' and '.join(told[1:])}"


def _done(outcome: Outcome, done: Sequence[DeviceResult], total: int) -> str:
    """What was confirmed: things that came to different states are told apart."""
    ends: dict[str, list[DeviceResult]] = {}
    for result in done:
        ends.setdefault(_wanted(outcome, result), []).append(result)
    return " and ".join(_ended(wanted, results, total) for wanted, results in ends.items())


def _ended(wanted: str, results: Sequence[DeviceResult], total: int) -> str:
    subject = _count(results, total) if total > _NAMED else _names(results)
    several = len(results) > 1 or (total <= _NAMED and are(subject) == "are")
    return f"{subject} {'are' if several else 'is'} {wanted}"


def _count(results: Sequence[DeviceResult], total: int) -> str:
    kind = replies_devices.kind(results)
    return f"{number_words(len(results))} of {number_words(total)} {kind}"


def _names(results: Sequence[DeviceResult]) -> str:
    return joined([the(spoken(r.name)) for r in results])


def _excuse(fate: str, results: Sequence[DeviceResult], counted: bool) -> str:
    if not results:
        return ""
    # Who is away is worth knowing by name, however many others were meant.
    counted = counted and (fate != "unavailable" or len(results) > _NAMED)
    subject = number_words(len(results)) if counted else _names(results)
    if fate != "unavailable":
        return f"{subject} {_EXCUSES[fate]}"
    plural = len(results) > 1 or (not counted and are(subject) == "are")
    return f"{subject} {'are' if plural else 'is'} {_EXCUSES[fate]}"


def _asked(outcome: Outcome) -> Replies:
    if not outcome.results:
        return _FAILURES["no_device"]
    if len(outcome.results) > 1:
        return replies_states.several(outcome, state_words)
    result = outcome.results[0]
    name = the(spoken(result.name))
    if result.status != "confirmed":
        return (_excuse(result.status, [result], False),)
    if not result.state or not state_words(result.state):
        return (f"i don't know the state of {name}", f"i have no state of {name} yet")
    sentence = f"{name} {are(name)} {state_words(result.state)}"
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
    "LinnetUndo": _commanded,
    **dict.fromkeys(replies_devices.COMMANDS, _commanded),
    "HassGetState": _asked,
    "HassClimateGetTemperature": _asked,
    "HassStartTimer": _timer_started,
    "HassCancelTimer": lambda _: ("timer cancelled", "okay the timer is cancelled"),
    "HassTimerStatus": _timer_told,
    "HassGetCurrentTime": _clock,
    "HassGetCurrentDate": _calendar,
    "HassNevermind": lambda _: CANCELLED,
}
