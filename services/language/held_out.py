"""What is never trained on, decided by a hash: calls with a value in them, and other people's talk.

One rule for both sides: training drops what this module names, evaluation takes nothing else.
"""

from __future__ import annotations

import hashlib

from services.language.calls import Call, Value
from services.language.functions import EVERYWHERE

SHARE = 8  # one in so many is held out
LEAST_WORDS = 5  # greetings and thanks are too few to be split


def held_out(call: Call) -> bool:
    """Whether a call is kept from training; one in eight of those with a value in them.

    Calls without a value (``what time is it``) are the same in training and use: never held out.
    """
    return has_value(call) and _drawn(call.json())


def has_value(call: Call) -> bool:
    """Whether a call is one of many of its kind, so that some can be kept from training."""
    return any(map(_is_value, call.args.items()))


def _is_value(argument: tuple[str, Value]) -> bool:
    """Whether there are many of a kind: a kind of device, up and down, and everywhere are few."""
    key, value = argument
    return key not in ("domain", "volume_step") and value != EVERYWHERE


def held_out_talk(text: str) -> bool:
    """Whether a sentence no home can carry out is kept from training; one in eight of the longer.

    ``text`` is in spoken form.
    """
    return len(text.split()) >= LEAST_WORDS and _drawn(text)


def about_home(intent: str) -> bool:
    """Intents of public corpora whose sentences a home may well be able to carry out."""
    words = ("iot", "light", "timer", "time", "date", "smart_home", "cancel", "nevermind", "alarm")
    return any(word in intent for word in words)


def _drawn(text: str) -> bool:
    return hashlib.sha256(text.encode()).digest()[0] % SHARE == 0
