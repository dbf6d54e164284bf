"""Commands of lights."""

from __future__ import annotations

import json

from services.home import colors
from services.home.colors import NAMES, RGB, mireds_to_kelvin
from services.home.commands.asked import Message, NotCommandable, asked_number, message
from services.home.commands.wish import Wish
from services.home.platforms import JsonLight, Light, TemplateLight
from services.home.platforms.lights import KELVIN
from services.language.calls import Call

AnyLight = JsonLight | Light | TemplateLight


def wished(spec: AnyLight, call: Call) -> Wish:
    """The light that a call asks for.

    Raises:
        NotCommandable: not a call for a light, or not for this one.
    """
    if call.name in ("HassTurnOn", "HassTurnOff"):
        return Wish("on" if call.name == "HassTurnOn" else "off")
    if call.name != "HassLightSet":
        raise NotCommandable(f"{call.name} on a light")
    args = call.args
    color = args.get("color")
    if isinstance(color, str) and color not in NAMES:
        raise NotCommandable("no such colour")
    for ability, key in (("brightness", "brightness"), ("color_temp", "temperature")):
        if key in args and ability not in spec.features:
            raise NotCommandable(f"the light has no {ability}")
    level = asked_number(call, "brightness", 0, 100) if "brightness" in args else None
    if level == 0:
        return Wish("off")
    return Wish(
        "on",
        None if level is None else _reachable(round(level), spec.scale),
        NAMES[color] if isinstance(color, str) else None,
        _white(spec, call) if "temperature" in args else None,
    )


def _white(spec: AnyLight, call: Call) -> int:
    """The white nearest to the wish that this lamp can shine."""
    low, high = spec.kelvin_range
    return round(min(max(asked_number(call, "temperature", *KELVIN), low), high))


def _reachable(percent: int, scale: int) -> int:
    """The percentage nearest to the wish that a light of few steps can have."""
    return max(1, round(_steps(percent, scale) * 100 / scale))


def _steps(percent: int, scale: int) -> int:
    """Percent 1..100 in the light's own steps, never 0: that would be off."""
    return max(1, round(percent * scale / 100))


def _temperature(spec: AnyLight, kelvin: int) -> int:
    """As the lamp counts it: kelvin or mireds."""
    return kelvin if spec.color_temp_kelvin else round(mireds_to_kelvin(kelvin))


def json_light(spec: JsonLight, wish: Wish) -> tuple[Message, ...]:
    body: dict[str, object] = {"state": str(wish.value).upper()}
    if wish.brightness is not None:
        body["brightness"] = _steps(wish.brightness, spec.scale)
    if wish.color is not None:
        body["color"] = _json_color(spec.color_space, wish.color)
    if wish.kelvin is not None:
        body["color_temp"] = _temperature(spec, wish.kelvin)
    return ((spec.command_topic, json.dumps(body, separators=(",", ":")).encode()),)


def _json_color(space: str | None, color: RGB) -> dict[str, float]:
    if space is None:
        raise NotCommandable("the light has no colour")
    if space == "hs":
        return dict(zip("hs", colors.to_hs(color), strict=True))
    if space == "xy":
        return dict(zip("xy", colors.to_xy(color), strict=True))
    whites = {"rgbw": "w", "rgbww": "cw"}.get(space, "")
    return {**dict(zip("rgb", color, strict=True)), **dict.fromkeys(whites, 0)}


def light(spec: Light, wish: Wish) -> tuple[Message, ...]:
    payload = spec.payload_on if wish.value == "on" else spec.payload_off
    power = (spec.command_topic, payload.encode())
    style = _style(spec, wish)
    if spec.on_command_type == "first":
        return (power, *style)
    if spec.on_command_type == "last":
        return (*style, power)
    # Some lights are switched on by their brightness alone, but off by their switch.
    return tuple(style) if wish.value == "on" and style else (power,)


def _style(spec: Light, wish: Wish) -> list[Message]:
    found: list[Message] = []
    if wish.color is not None:
        found.append(_color(spec, wish.color))
    if wish.kelvin is not None:
        white = _temperature(spec, wish.kelvin)
        template = spec.color_temp_command_template
        found.append(message(spec.color_temp_command_topic, template, white))
    level = wish.brightness
    if level is None and wish.value == "on" and spec.on_command_type == "brightness":
        level = 100
    if level is not None and spec.brightness_command_topic:
        steps = _steps(level, spec.scale)
        template = spec.brightness_command_template
        found.append(message(spec.brightness_command_topic, template, steps))
    return found


def _color(spec: Light, color: RGB) -> Message:
    space = spec.color_space
    if space is None:
        raise NotCommandable("the light has no colour")
    names: tuple[str, ...] = {"hs": ("hue", "sat"), "xy": ("x", "y")}.get(space, ())
    parts: tuple[float, ...]
    if space == "hs":
        parts = colors.to_hs(color)
    elif space == "xy":
        parts = colors.to_xy(color)
    else:
        parts = (*color, *(0,) * (len(space) - 3))
        names = ("red", "green", "blue", "white" if space == "rgbw" else "cold_white", "warm_white")
    return message(
        getattr(spec, f"{space}_command_topic"),
        getattr(spec, f"{space}_command_template"),
        ",".join(f"{part:g}" for part in parts),
        **dict(zip(names, parts, strict=False)),
    )


def template_light(spec: TemplateLight, wish: Wish) -> tuple[Message, ...]:
    names: dict[str, object] = {"state": wish.value}
    if wish.brightness is not None:
        names["brightness"] = _steps(wish.brightness, spec.scale)
    if wish.kelvin is not None:
        names["color_temp"] = _temperature(spec, wish.kelvin)
    if wish.color is not None:
        if "color" not in spec.features:
            raise NotCommandable("the light has no colour")
        hue, saturation = colors.to_hs(wish.color)
        names |= dict(zip(("red", "green", "blue"), wish.color, strict=True))
        names |= {"hue": hue, "sat": saturation}
    on = wish.value == "on"
    template = spec.command_on_template if on else spec.command_off_template
    return (message(spec.command_topic, template, wish.value, **names),)
