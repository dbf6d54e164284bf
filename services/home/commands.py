"""What to publish for a call, and what the device must say before it counts as done. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from services.home import colors
from services.home.colors import NAMES, RGB
from services.home.entities import Entity
from services.home.platforms import JsonLight, Light, Lock, Spec, Switch
from services.home.states import EntityState
from services.language.calls import Call

BRIGHTNESS_TOLERANCE = 2
"""Percent: scales of 100, 254 and 255 steps round differently."""


class NotCommandable(ValueError):
    """No command is known for this call on this kind of device."""


@dataclass(frozen=True)
class Wish:
    """The state a command asks for."""

    value: str
    brightness: int | None = None
    color: RGB | None = None

    def met_by(self, state: EntityState) -> bool:
        if state.value != self.value:
            return False
        if self.brightness is not None and (
            state.brightness is None
            or abs(state.brightness - self.brightness) > BRIGHTNESS_TOLERANCE
        ):
            return False
        return self.color is None or (
            state.color is not None and colors.alike(state.color, self.color)
        )


@dataclass(frozen=True)
class Command:
    """Messages for one device, in order, and the state they ask for."""

    messages: tuple[tuple[str, bytes], ...]
    """(topic, payload) pairs."""
    wish: Wish


def command(entity: Entity, call: Call) -> Command:
    """The command that carries out a resolved call on one device.

    Raises:
        NotCommandable: the device cannot do it; the resolver lets no such pair through.
    """
    spec = entity.found.spec
    wish = _wish(spec, entity.domain, call)
    if isinstance(spec, JsonLight):
        return Command(((spec.command_topic, _json_light(spec, wish)),), wish)
    if isinstance(spec, Light):
        return Command(_light(spec, wish), wish)
    if isinstance(spec, Switch) and wish.brightness is None and wish.color is None:
        payload = spec.payload_on if wish.value == "on" else spec.payload_off
        return Command(((spec.command_topic, payload.encode()),), wish)
    if isinstance(spec, Lock) and wish.value == "locked":
        return Command(((spec.command_topic, spec.payload_lock.encode()),), wish)
    raise NotCommandable(f"{call.name} on {entity.entity_id}")


def proving_topic(spec: Spec, wish: Wish) -> str | None:
    """The state topic that must be heard again before a wish counts as met; None if there is none.

    A light with a topic for each ability may tell only what has changed, so its colour proves a
    colour, its brightness a brightness; what it said of its power before then still stands.
    """
    if isinstance(spec, Light) and wish.color is not None:
        return spec.rgb_state_topic or spec.hs_state_topic
    if isinstance(spec, Light) and wish.brightness is not None:
        return spec.brightness_state_topic
    return spec.state_topic


def _wish(spec: Spec, domain: str, call: Call) -> Wish:
    if call.name == "HassTurnOn":
        return Wish("locked" if domain == "lock" else "on")
    if call.name == "HassTurnOff" and domain != "lock":
        return Wish("off")
    if call.name == "HassLightSet":
        brightness, color = call.args.get("brightness"), call.args.get("color")
        if brightness == 0:
            return Wish("off")
        return Wish(
            "on",
            _reachable(spec, brightness) if isinstance(brightness, int) else None,
            NAMES[color] if isinstance(color, str) else None,
        )
    raise NotCommandable(f"{call.name} on a {domain}")


def _reachable(spec: Spec, percent: int) -> int:
    """The percentage nearest to the wish that a light of few steps can have."""
    scale = spec.brightness_scale if isinstance(spec, (JsonLight, Light)) else 100
    return max(1, round(_steps(percent, scale) * 100 / scale))


def _json_light(spec: JsonLight, wish: Wish) -> bytes:
    body: dict[str, object] = {"state": wish.value.upper()}
    if wish.brightness is not None:
        body["brightness"] = _steps(wish.brightness, spec.brightness_scale)
    if wish.color is not None:
        body["color"] = _json_color(spec.color_space, wish.color)
    return json.dumps(body, separators=(",", ":")).encode()


def _json_color(space: str | None, color: RGB) -> dict[str, float]:
    if space == "hs":
        return dict(zip("hs", colors.to_hs(color), strict=True))
    if space == "xy":
        return dict(zip("xy", colors.to_xy(color), strict=True))
    whites = {"rgbw": "w", "rgbww": "cw"}.get(space or "", "")
    return {**dict(zip("rgb", color, strict=True)), **dict.fromkeys(whites, 0)}


def _light(spec: Light, wish: Wish) -> tuple[tuple[str, bytes], ...]:
    power = (spec.command_topic, (spec.payload_on if wish.value == "on" else spec.payload_off))
    style: list[tuple[str, str]] = []
    if wish.color is not None and spec.rgb_command_topic:
        style.append((spec.rgb_command_topic, ",".join(str(part) for part in wish.color)))
    elif wish.color is not None and spec.hs_command_topic:
        hue, saturation = colors.to_hs(wish.color)
        style.append((spec.hs_command_topic, f"{hue:g},{saturation:g}"))
    if spec.brightness_command_topic and wish.value == "on":
        level = wish.brightness
        if level is None and spec.on_command_type == "brightness":
            level = 100
        if level is not None:
            steps = _steps(level, spec.brightness_scale)
            style.append((spec.brightness_command_topic, str(steps)))
    messages = {"first": [power, *style], "last": [*style, power]}.get(spec.on_command_type)
    if messages is None:
        # Some lights are switched on by their brightness alone, but off by their switch.
        messages = style if wish.value == "on" and style else [power]
    return tuple((topic, payload.encode()) for topic, payload in messages)


def _steps(percent: int, scale: int) -> int:
    """Percent 1..100 in the light's own steps, never 0: that would be off."""
    return max(1, round(percent * scale / 100))
