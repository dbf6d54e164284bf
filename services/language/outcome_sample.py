"""Random outcomes of random calls in a home: what the language model learns to speak from."""

from __future__ import annotations

import random

from services.language.calls import Call
from services.language.homeview import EntityView, HomeView
from services.language.outcome import DeviceResult, Outcome, Status
from services.language.sample import sample

_FATES: tuple[Status, ...] = ("confirmed", "timeout", "unavailable", "rejected")
_FATE_WEIGHTS = (0.82, 0.08, 0.06, 0.04)
_ERRORS: dict[str, tuple[str, ...]] = {
    "name": ("no_device", "offline", "unsupported"),
    "area": ("no_area", "offline"),
    "timer": ("no_timer",),
    "other": ("offline",),
}
_STATES: dict[str, tuple[str, ...]] = {
    "light": ("on", "off"),
    "switch": ("on", "off"),
    "lock": ("locked", "unlocked", "jammed"),
    "cover": ("open", "closed", "opening", "closing"),
    "binary_sensor": ("on", "off", "open", "closed", "clear", "detected"),
}
_UNITS = ("degrees", "percent", "watts", "")


def corpus(rng: random.Random, home: HomeView) -> Outcome:
    """One outcome the executor could have told in this home, failures included.

    Raises:
        ValueError: the home gives no call at all, which no home does.
    """
    for _ in range(100):
        drawn = sample(rng, home)
        if drawn is not None:
            return outcome_of(rng, home, drawn[1])
    raise ValueError("no template fits this home")


def outcome_of(rng: random.Random, home: HomeView, call: Call) -> Outcome:
    """A random fate of one given call."""
    if call.name == "HassNevermind":
        return Outcome(call)
    if rng.random() < 0.06:
        return Outcome(call, error=_error(rng, call))
    if "Timer" in call.name or call.name.startswith("HassGetCurrent"):
        return Outcome(call, facts=_facts(rng, call))
    return Outcome(call, tuple(_result(rng, call, entity) for entity in _targets(home, call)))


def _error(rng: random.Random, call: Call) -> str:
    kind = next((k for k in ("name", "area") if k in call.args), "other")
    if call.name in ("HassCancelTimer", "HassTimerStatus"):
        kind = "timer"
    return rng.choice(_ERRORS[kind])


def _targets(home: HomeView, call: Call) -> list[EntityView]:
    args = call.args
    if "name" in args:
        return [e for e in home.entities if e.name == args["name"]][:1]
    lights = [e for e in home.entities if e.domain == "light"]
    return [e for e in lights if "area" not in args or e.area == args["area"]]


def _result(rng: random.Random, call: Call, entity: EntityView) -> DeviceResult:
    fate = rng.choices(_FATES, _FATE_WEIGHTS)[0]
    asked = call.name == "HassGetState" and fate == "confirmed"
    return DeviceResult(entity.entity_id, entity.name, fate, _state(rng, entity) if asked else None)


def _state(rng: random.Random, entity: EntityView) -> str | None:
    if rng.random() < 0.04:
        return None
    if entity.domain in _STATES:
        return rng.choice(_STATES[entity.domain])
    value = rng.choice((str(rng.randrange(101)), f"{rng.uniform(-10, 40):.1f}"))
    return f"{value} {rng.choice(_UNITS)}".strip()


def _facts(rng: random.Random, call: Call) -> dict[str, str | int]:
    if call.name == "HassStartTimer":
        args = call.args
        scale = {"hours": 3600, "minutes": 60, "seconds": 1}
        return {"duration_s": sum(int(args.get(k, 0)) * n for k, n in scale.items())}
    if call.name == "HassTimerStatus":
        limit = rng.choice((60, 600, 3600, 3 * 3600))
        return {"remaining_s": rng.randrange(1, limit)}
    if call.name == "HassGetCurrentTime":
        return {"time": f"{rng.randrange(24):02}:{rng.randrange(60):02}"}
    if call.name == "HassGetCurrentDate":
        return {"date": f"2026-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"}
    return {}
