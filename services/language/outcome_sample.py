"""Random outcomes of random calls in a home: what the language model learns to speak from."""

from __future__ import annotations

import random
from collections.abc import Mapping

from services.language.calls import Call, Value
from services.language.facts_sample import TOLD, facts, refusal
from services.language.functions import EVERYWHERE, FUNCTIONS
from services.language.homeview import EntityView, HomeView
from services.language.outcome import DeviceResult, Outcome, Status
from services.language.sample import sample

_FATES: tuple[Status, ...] = ("confirmed", "timeout", "unavailable", "rejected")
_FATE_WEIGHTS = (0.82, 0.08, 0.06, 0.04)
_ERRORS: dict[str, tuple[str, ...]] = {
    "name": ("no_device", "offline", "unsupported"),
    "area": ("no_area", "no_device_in_area", "offline"),
    "floor": ("no_floor", "no_device_on_floor", "offline"),
    "other": ("offline",),
}
_STATES: dict[str, tuple[str, ...]] = {
    "light": ("on", "off"),
    "switch": ("on", "off"),
    "lock": ("locked", "unlocked", "jammed"),
    "cover": ("open", "closed", "opening", "closing"),
    "binary_sensor": ("on", "off", "open", "closed", "clear", "detected"),
}
_MOVING = {
    ("HassTurnOn", "cover"): "opening", ("HassTurnOff", "cover"): "closing",
    ("HassTurnOn", "valve"): "opening", ("HassTurnOff", "valve"): "closing",
    ("HassVacuumReturnToBase", "vacuum"): "returning",
}  # fmt: skip
"""What a slow device tells when it has begun."""
_RISKS = {
    ("HassTurnOff", "lock"): "unlock", ("HassTurnOn", "cover"): "open",
    ("HassTurnOn", "valve"): "open", ("HassSetPosition", "valve"): "open",
}  # fmt: skip
"""What is asked about first; see ``home.risk``."""
_WAYS_IN = (None, "door", "garage", "gate")
"""Device classes of covers that are asked about."""
_SILENT = ("scene", "button")
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
        return _failed(rng, call)
    if call.name == "LinnetUndo":
        return Outcome(call, _undone(rng, home))
    if call.name in TOLD:
        if call.args.get("operator") == "divided_by" and not call.args["right"]:
            return Outcome(call, error="zero_divisor")
        return Outcome(call, facts=facts(rng, call))
    targets = _targets(home, call)
    asked = [e for e in targets if _risky(call, e)]
    if asked and rng.random() < 0.6:
        return _question(call, asked)
    return Outcome(call, tuple(_result(rng, call, entity) for entity in targets))


def _failed(rng: random.Random, call: Call) -> Outcome:
    refused = refusal(rng, call)
    if refused is not None:
        return Outcome(call, facts=refused[1], error=refused[0])
    if call.name in TOLD:
        return Outcome(call, error="unsupported")
    kind = next((k for k in ("name", "area", "floor") if k in call.args), "other")
    return Outcome(call, error=rng.choice(_ERRORS[kind]))


def _undone(rng: random.Random, home: HomeView) -> tuple[DeviceResult, ...]:
    able = [e for e in home.entities if e.domain in ("light", "switch")]
    if not able:
        return ()
    entity = rng.choice(able)
    fate = rng.choices(_FATES, _FATE_WEIGHTS)[0]
    return (DeviceResult(entity.entity_id, entity.name, fate),)


def _risky(call: Call, entity: EntityView) -> bool:
    if (call.name, entity.domain) not in _RISKS:
        return False
    return entity.domain != "cover" or entity.device_class in _WAYS_IN


def _question(call: Call, asked: list[EntityView]) -> Outcome:
    verb = _RISKS[call.name, asked[0].domain]
    told: dict[str, Value] = {verb: ",".join(entity.name for entity in asked), "answer_s": 20}
    return Outcome(call, facts=told, error="needs_confirmation")


def _targets(home: HomeView, call: Call) -> list[EntityView]:
    args = call.args
    if "name" in args:
        return [e for e in home.entities if e.name == args["name"]][:1]
    row = FUNCTIONS[call.name]
    domains = {str(args["domain"])} if "domain" in args else row.domains
    if call.name in ("HassTurnOn", "HassTurnOff", "HassLightSet") and "domain" not in args:
        domains = {"light"}
    meant = [e for e in home.entities if e.domain in domains and _inside(e, args)]
    if call.name == "HassClimateGetTemperature":
        thermostats = [e for e in meant if e.domain == "climate"]
        meant = thermostats or [e for e in meant if e.device_class == "temperature"]
    placed = {"area", "floor", "domain"} & args.keys()
    return meant if placed and row.effect == "moves" else meant[:1]


def _inside(entity: EntityView, args: Mapping[str, Value]) -> bool:
    return (
        args.get("area", EVERYWHERE) in (EVERYWHERE, entity.area)
        and args.get("floor", entity.floor) == entity.floor
        and args.get("device_class", entity.device_class) == entity.device_class
    )


def _result(rng: random.Random, call: Call, entity: EntityView) -> DeviceResult:
    fate = rng.choices(_FATES, _FATE_WEIGHTS)[0]
    if entity.domain in _SILENT and fate == "confirmed":
        fate = "sent"
    asks = FUNCTIONS[call.name].effect == "asks" and fate == "confirmed"
    state = _asked(rng, call, entity) if asks else None
    if fate == "confirmed" and rng.random() < 0.4:
        state = state or _MOVING.get((call.name, entity.domain))
    return DeviceResult(entity.entity_id, entity.name, fate, state)


def _asked(rng: random.Random, call: Call, entity: EntityView) -> str | None:
    if call.name != "HassClimateGetTemperature" or rng.random() < 0.04:
        return _state(rng, entity)
    now = rng.choice((f"{rng.randrange(10, 35)} degrees", f"{rng.uniform(10, 30):.1f} degrees"))
    if entity.domain == "sensor":
        return now
    mode = rng.choice(("heat", "heat", "cool", "auto", "off"))
    told = () if mode == "off" else (f"set to {rng.randrange(15, 28)} degrees",)
    return ", ".join(("off" if mode == "off" else f"on {mode}", *told, f"now at {now}"))


def _seldom(rng: random.Random) -> bool:
    return rng.random() < 0.3


def _state(rng: random.Random, entity: EntityView) -> str | None:
    if rng.random() < 0.04:
        return None
    if entity.domain in _STATES:
        state = rng.choice(_STATES[entity.domain])
        partly = entity.domain in ("light", "cover") and state in ("on", "open")
        return f"{state} at {rng.randrange(1, 100)} percent" if partly and _seldom(rng) else state
    value = rng.choice((str(rng.randrange(101)), f"{rng.uniform(-10, 40):.1f}"))
    return f"{value} {rng.choice(_UNITS)}".strip()
