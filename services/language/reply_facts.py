"""What replies about time have in common: facts in, and a numbered few of them."""

from __future__ import annotations

from collections.abc import Mapping

Replies = tuple[str, ...]
Facts = Mapping[str, str | int]

LISTED = 3
"""Things told one by one; the facts name no more."""


def places(facts: Facts) -> range:
    """Numbers of the things that the facts tell one by one: ``name_1``, ``name_2`` …"""
    return range(1, min(int(facts["count"]), LISTED) + 1)
