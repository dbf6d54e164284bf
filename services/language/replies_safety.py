"""What may be said about commands that were held back: a question, a refusal, an undoing.

The first part of a reply tells what was done nevertheless; a question comes last.
"""

from __future__ import annotations

from services.language.outcome import Outcome
from services.language.phrases import joined, the

Replies = tuple[str, ...]

_ANSWERED: dict[str, Replies] = {
    "left_alone": ("okay left as it is", "okay i left it as it is"),
    "too_late": ("that was too late so i left it as it is",),
    "home_changed": ("that has changed meanwhile so i left it as it is",),
    "nothing_asked": ("there is nothing to confirm",),
    "cannot_undo": ("i can't undo that",),
    "nothing_to_undo": ("there is nothing to undo", "i have nothing to undo"),
}
_HELD = frozenset({"needs_confirmation", "not_by_voice", "too_fast", "state_unknown"})
_VERBS = ("unlock", "open", "sound", "turn on", "turn off", "change")
"""What can be asked about; see ``services.home.risk.Risk``."""
_NEVER = ("disarm",)


def tells(outcome: Outcome) -> bool:
    """Whether an outcome is told here rather than by its call alone."""
    if outcome.error is None:
        return outcome.call.name == "LinnetUndo"
    if outcome.error == "needs_confirmation":
        return bool(_named(outcome, _VERBS))
    return outcome.error in _ANSWERED or outcome.error in _HELD


def replies(outcome: Outcome, done: str) -> Replies:
    """The allowed replies.

    Args:
        done: what the results say, in words; empty when there are none.
    """
    if outcome.error in _ANSWERED:
        return _ANSWERED[outcome.error]
    parts = [_undone(outcome, done) if outcome.call.name == "LinnetUndo" else done]
    parts += [_too_fast(outcome), _never(outcome), _left(outcome), _unknown(outcome)]
    told = [part for part in parts if part]
    if outcome.error != "needs_confirmation":
        return (" and ".join(told),)
    return tuple(" and ".join([*told, last]) for last in _questions(outcome))


def _questions(outcome: Outcome) -> Replies:
    doing = " and ".join(_named(outcome, _VERBS))
    if "answer_s" not in outcome.facts:
        return (f"i can't {doing} without a yes",)
    return f"should i {doing}", f"do you want me to {doing}"


def _named(outcome: Outcome, verbs: tuple[str, ...]) -> list[str]:
    """``unlock the front door``, for every verb that the facts hold."""
    return [f"{verb} {_names(outcome, verb)}" for verb in verbs if verb in outcome.facts]


def _names(outcome: Outcome, fact: str) -> str:
    return joined([the(name) for name in str(outcome.facts[fact]).split(",")])


def _too_fast(outcome: Outcome) -> str:
    if "too_fast" not in outcome.facts:
        return ""
    return f"{_names(outcome, 'too_fast')} had too many commands just now"


def _never(outcome: Outcome) -> str:
    return " and ".join(f"i never {doing} by voice" for doing in _named(outcome, _NEVER))


def _undone(outcome: Outcome, done: str) -> str:
    if "level" in outcome.facts:  # the appliance's own volume, which needs no device
        return "okay undone"
    failed = any(result.status != "confirmed" for result in outcome.results)
    return "okay undone" if done and not failed else done


def _left(outcome: Outcome) -> str:
    return f"i can't undo {_names(outcome, 'left')}" if "left" in outcome.facts else ""


def _unknown(outcome: Outcome) -> str:
    """What cannot change from where it is: nobody knows where that is."""
    if "unknown" not in outcome.facts:
        return ""
    return f"i don't know the present state of {_names(outcome, 'unknown')}"
