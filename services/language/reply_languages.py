"""Replies by language: English and Chinese are written here; every other language gets English."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from services.language import replies_zh_cn
from services.language.outcome import Outcome
from services.language.replies import replies

Replies = tuple[str, ...]

WRITTEN: Mapping[str, Callable[[Outcome], Replies]] = {
    "en": replies,
    "zh-CN": replies_zh_cn.replies,
}
"""Languages that replies are written in."""


def replies_in(language: str, outcome: Outcome) -> Replies:
    """The allowed replies to an outcome, the plainest first; never empty."""
    return WRITTEN.get(language, replies)(outcome)
