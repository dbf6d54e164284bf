"""The few words by which a person agrees to something risky. Everything else is a no.

Compared by code, never by a language model, and only as a whole utterance: somebody who says
"yes but not the door" has not agreed.
"""

from __future__ import annotations

from services.language.spoken import spoken

YES: tuple[str, ...] = (
    "yes", "yeah", "confirm", "do it", "yes please", "yes do it", "yes confirm", "yeah do it",
)  # fmt: skip
NO: tuple[str, ...] = (
    "no", "nope", "no thanks", "no thank you", "don't", "do not", "don't do it", "cancel", "stop",
    "never mind", "leave it",
)  # fmt: skip
"""What a recogniser should know besides, so that it need not take a no for a yes."""


_YES_TYPED = frozenset({"是", "是的", "确认", "好的"})
"""Chinese, which has no spoken form in the letters of the recogniser."""


def says_yes(text: str) -> bool:
    """Whether the whole of what was said or typed is one of ``YES``, or their like in Chinese."""
    return spoken(text) in YES or text.strip(" 。！") in _YES_TYPED


def says_no(text: str) -> bool:
    """Whether it is one of ``NO``; what is neither is a no too, or a command of its own."""
    return spoken(text) in NO
