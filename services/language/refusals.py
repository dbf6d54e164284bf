"""What is said when a call fits nothing in the home: one truthful sentence for each reason."""

from __future__ import annotations

from services.language.calls import Call
from services.language.functions import EVERYWHERE
from services.language.phrases import floor, room

Replies = tuple[str, ...]


def refused(call: Call, why: str) -> Replies:
    """Spoken sentences for a refusal of the resolver, the plainest first; empty for other words."""
    unnamed: dict[object, str] = {None: "this room", EVERYWHERE: "the house"}
    here = room(call) or unnamed.get(call.args.get("area"), "that room")
    storey = floor(call) or "that floor"
    told: dict[str, Replies] = {
        "no_floor": ("i can't find that floor", "sorry i don't know that floor"),
        "no_device_in_area": (f"i can't find that in {here}", f"there is no such device in {here}"),
        "no_device_on_floor": (
            f"i can't find that on {storey}", f"there is no such device on {storey}",
        ),
        "too_broad": ("that is too much at once please name a room or a device",),
    }  # fmt: skip
    return told.get(why, ())
