"""Commands of covers, valves and locks. On a lock "on" means locked, as in Home Assistant."""

from __future__ import annotations

from services.home.commands.asked import Message, NotCommandable, asked_number, message
from services.home.commands.wish import MOVING, Wish
from services.home.platforms import Cover, Lock, Valve
from services.home.state import EntityState
from services.language.calls import Call

Done = tuple[tuple[Message, ...], Wish]


def opening(spec: Cover | Valve, call: Call, state: EntityState) -> Done:
    if call.name in ("HassTurnOn", "HassTurnOff"):
        opens = call.name == "HassTurnOn"
        wish = Wish(
            "open" if opens else "closed",
            position=100 if opens else 0,
            moving=("opening" if opens else "closing",),
        )
        return (_moved(spec, opens),), wish
    if call.name == "HassStopMoving":
        if "stop" not in spec.features:
            raise NotCommandable("it cannot be stopped")
        stop = message(spec.command_topic, spec.command_template, spec.payload_stop)
        return (stop,), Wish(never=MOVING)
    if call.name == "HassSetPosition" and "position" in spec.features:
        percent = round(asked_number(call, "position", 0, 100))
        return (_set_to(spec, percent),), Wish(position=percent, moving=_way(state, percent))
    raise NotCommandable(f"{call.name} on a cover or valve")


def _way(state: EntityState, percent: int) -> tuple[str, ...]:
    """What it will say on its way to a position."""
    if state.position is None:
        return MOVING
    return ("opening",) if percent > state.position else ("closing",)


def _moved(spec: Cover | Valve, opens: bool) -> Message:
    payload = spec.payload_open if opens else spec.payload_close
    by_number = isinstance(spec, Valve) and spec.reports_position
    if by_number or spec.command_topic is None or payload is None:
        if "position" not in spec.features:
            raise NotCommandable("it cannot be opened and closed")
        return _set_to(spec, 100 if opens else 0)
    return message(spec.command_topic, spec.command_template, payload)


def _set_to(spec: Cover | Valve, percent: int) -> Message:
    own = spec.position_of(percent)
    if isinstance(spec, Valve):
        return message(spec.command_topic, spec.command_template, own)
    return message(
        spec.set_position_topic,
        spec.set_position_template,
        own,
        position=percent,
        position_open=spec.position_open,
        position_closed=spec.position_closed,
        tilt_min=spec.tilt_min,
        tilt_max=spec.tilt_max,
    )


def lock(spec: Lock, call: Call, _state: EntityState) -> Done:
    if call.name not in ("HassTurnOn", "HassTurnOff"):
        raise NotCommandable(f"{call.name} on a lock")
    if spec.code_format is not None:
        raise NotCommandable("the lock wants a code")
    locks = call.name == "HassTurnOn"
    payload = spec.payload_lock if locks else spec.payload_unlock
    sent = message(spec.command_topic, spec.command_template, payload)
    return (sent,), Wish("locked" if locks else "unlocked")
