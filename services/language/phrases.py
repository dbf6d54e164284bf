"""Pieces of spoken sentences that every kind of reply is made from."""

from __future__ import annotations

from collections.abc import Sequence


def joined(parts: Sequence[str]) -> str:
    """``a b and c``: a spoken list."""
    return " and ".join(filter(None, (" ".join(parts[:-1]), *parts[-1:])))


def are(name: str) -> str:
    """``is`` or ``are``, as the name is one or several."""
    last = name.split()[-1] if name else ""
    return "are" if last.endswith("s") and not last.endswith("ss") else "is"


def the(name: str) -> str:
    """``the lamp``, but ``my lamp``."""
    return name if name.split()[:1] in (["the"], ["my"], ["our"]) else f"the {name}"
