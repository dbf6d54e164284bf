"""Which devices a call means: pure, from the call's words and a snapshot of the home.

Refusals are words, not exceptions: a call that fits nothing is an everyday event, and the reply
speaks from the word. Unlocking is refused as ``needs_confirmation`` until somebody can confirm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from services.home.colors import NAMES
from services.home.entities import Entity
from services.language.calls import Call

Refusal = Literal["no_device", "no_area", "unsupported", "ambiguous", "needs_confirmation"]

DEVICE_CALLS = frozenset({"HassTurnOn", "HassTurnOff", "HassLightSet", "HassGetState"})
"""Calls that are about devices; the others are answered by ``functions``."""
_SWITCHABLE = frozenset({"light", "switch"})


@dataclass(frozen=True)
class Resolution:
    """Targets, or the reason why there are none."""

    targets: tuple[Entity, ...] = ()
    refusal: Refusal | None = None


def resolve(call: Call, entities: Sequence[Entity], here: str | None = None) -> Resolution:
    """The devices a call means.

    Args:
        here: the appliance's room; it decides between devices of equal names.
    """
    if call.name not in DEVICE_CALLS or not _well_formed(call):
        return Resolution(refusal="unsupported")
    name, area = call.args.get("name"), call.args.get("area")
    fits = _ability(call)
    if isinstance(area, str) and not any(e.area == area for e in entities):
        return Resolution(refusal="no_area")
    inside = [e for e in entities if area is None or e.area == area]
    if isinstance(name, str):
        return _by_name(call, [e for e in inside if e.name == name], fits, here)
    lights = [e for e in inside if e.domain == call.args.get("domain", "light")]
    if not lights:
        return Resolution(refusal="no_device")
    able = tuple(e for e in lights if fits(e))
    return Resolution(able) if able else Resolution(refusal="unsupported")


def _by_name(
    call: Call, named: Sequence[Entity], fits: Callable[[Entity], bool], here: str | None
) -> Resolution:
    if not named:
        return Resolution(refusal="no_device")
    able = [e for e in named if fits(e)]
    if not able:
        locked = call.name == "HassTurnOff" and any(e.domain == "lock" for e in named)
        return Resolution(refusal="needs_confirmation" if locked else "unsupported")
    if len(able) > 1:
        able = _prefer(able, here)
    return Resolution((able[0],)) if len(able) == 1 else Resolution(refusal="ambiguous")


def _prefer(able: Sequence[Entity], here: str | None) -> list[Entity]:
    near = [e for e in able if here is not None and e.area == here]
    return near or list(able)


def _ability(call: Call) -> Callable[[Entity], bool]:
    """Whether an entity can do what the call asks."""
    if call.name == "HassGetState":
        return lambda e: True
    if call.name == "HassLightSet":
        wanted = {"brightness", "color"} & set(call.args)
        return lambda e: e.domain == "light" and wanted <= e.features
    # On a lock "on" means locked, as in Home Assistant.
    domains = _SWITCHABLE | ({"lock"} if call.name == "HassTurnOn" else set())
    return lambda e: e.domain in domains


def _well_formed(call: Call) -> bool:
    """Keys, types and ranges: a call may come from any model, so it is checked like input."""
    args = call.args
    if len(args) != len(call.arguments) or not _known_keys(call.name, args):
        return False
    if any(not isinstance(args.get(k, ""), str) for k in ("name", "area", "domain", "color")):
        return False
    if args.get("domain", "light") not in _SWITCHABLE:
        return False
    brightness = args.get("brightness", 0)
    if isinstance(brightness, bool) or not isinstance(brightness, int) or not (
        0 <= brightness <= 100
    ):
        return False
    return args.get("color", "white") in NAMES


def _known_keys(name: str, args: Iterable[str]) -> bool:
    keys = set(args)
    if name == "HassGetState":
        return keys == {"name"}
    if name == "HassLightSet":
        what = keys & {"brightness", "color"}
        return bool(what) and (keys - what) in ({"name"}, {"area"}, {"name", "area"})
    return bool(keys) and keys <= {"name", "area", "domain"}
