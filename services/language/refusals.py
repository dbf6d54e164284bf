"""What is said when a call fits nothing in the home: one truthful sentence for each reason."""

from __future__ import annotations

from services.language.calls import Call

Replies = tuple[str, ...]


def refused(call: Call, why: str) -> Replies:
    """Spoken sentences for a refusal of the resolver, the plainest first; empty for other words."""
    area, floor = call.args.get("area"), call.args.get("floor")
    room = f"the {area}" if area else "this room"
    told: dict[str, Replies] = {
        "no_floor": ("i can't find that floor", "sorry i don't know that floor"),
        "no_device_in_area": (f"i can't find that in {room}", f"there is no such device in {room}"),
        "no_device_on_floor": (
            f"i can't find that on the {floor}", f"there is no such device on the {floor}",
        ),
        "too_broad": ("that is too much at once please name a room or a device",),
    }  # fmt: skip
    return told.get(why, ())
