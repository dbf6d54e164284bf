"""Pieces of spoken sentences that every kind of reply is made from."""

from __future__ import annotations

from collections.abc import Sequence

from services.language.calls import Call
from services.language.functions import EVERYWHERE
from services.language.spoken import spoken


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


def room(call: Call) -> str:
    """``the kitchen``: the area of a call as it is said; empty for none and for the whole home."""
    area = call.args.get("area", EVERYWHERE)
    said = "" if area == EVERYWHERE else spoken(str(area))
    return the(said) if said else ""


def floor(call: Call) -> str:
    """``the top floor``: the floor of a call as it is said; empty for none."""
    said = spoken(str(call.args.get("floor", "")))
    return the(said) if said else ""
