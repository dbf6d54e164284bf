"""Colours by spoken name, and the spaces lights speak: RGB, hue and saturation, CIE xy."""

from __future__ import annotations

import colorsys

RGB = tuple[int, int, int]
"""Red, green, blue, each 0..255."""

NAMES: dict[str, RGB] = {
    "white": (255, 255, 255), "warm white": (255, 214, 170), "red": (255, 0, 0),
    "orange": (255, 128, 0), "yellow": (255, 255, 0), "lime": (128, 255, 0),
    "green": (0, 255, 0), "turquoise": (64, 224, 208), "teal": (0, 128, 128),
    "cyan": (0, 255, 255), "blue": (0, 0, 255), "indigo": (75, 0, 130), "navy": (0, 0, 128),
    "violet": (143, 0, 255), "purple": (128, 0, 128), "magenta": (255, 0, 255),
    "pink": (255, 105, 180), "gold": (255, 215, 0), "brown": (139, 69, 19),
}  # fmt: skip

HUE_TOLERANCE = 15.0
"""Degrees: lights round colours to their own gamut before they report them."""
SATURATION_TOLERANCE = 20.0
_GREY = 8.0
"""Percent saturation below which a hue means nothing."""


def to_hs(color: RGB) -> tuple[float, float]:
    """Hue 0..360 and saturation 0..100 of a colour."""
    hue, saturation, _ = colorsys.rgb_to_hsv(*(part / 255 for part in color))
    return round(hue * 360, 2), round(saturation * 100, 2)


def from_hs(hue: float, saturation: float) -> RGB:
    """The brightest colour of a hue (degrees) and saturation (percent); both are clamped."""
    level = min(max(saturation, 0.0), 100.0) / 100
    red, green, blue = colorsys.hsv_to_rgb((hue % 360) / 360, level, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def to_xy(color: RGB) -> tuple[float, float]:
    """CIE 1931 chromaticity of an sRGB colour (D65); black gives the white point."""
    red, green, blue = (_linear(part / 255) for part in color)
    x = 0.4124 * red + 0.3576 * green + 0.1805 * blue
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    total = x + y + 0.0193 * red + 0.1192 * green + 0.9505 * blue
    return (round(x / total, 4), round(y / total, 4)) if total else (0.3127, 0.329)


def from_xy(x: float, y: float) -> RGB:
    """The brightest sRGB colour of a CIE 1931 chromaticity; out of gamut is clipped."""
    if not (0 <= x <= 1 and 0.001 <= y <= 1):
        return (255, 255, 255)
    big_x, big_z = x / y, (1 - x - y) / y
    linear = (
        3.2406 * big_x - 1.5372 - 0.4986 * big_z,
        -0.9689 * big_x + 1.8758 + 0.0415 * big_z,
        0.0557 * big_x - 0.2040 + 1.0570 * big_z,
    )
    top = max(*linear, 1e-9)
    red, green, blue = (round(_gamma(max(part, 0.0) / top) * 255) for part in linear)
    return red, green, blue


def mireds_to_kelvin(mireds: float) -> float:
    """Colour temperature, either way round (a million divided by it); 0 stays 0."""
    return 1_000_000 / mireds if mireds > 0 else 0.0


def alike(one: RGB, other: RGB) -> bool:
    """Whether a person would call both by the same name; brightness does not count."""
    (hue, saturation), (other_hue, other_saturation) = to_hs(one), to_hs(other)
    if saturation < _GREY and other_saturation < _GREY:
        return True
    if abs(saturation - other_saturation) > SATURATION_TOLERANCE:
        return False
    turn = abs(hue - other_hue) % 360
    return min(turn, 360 - turn) <= HUE_TOLERANCE


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def _gamma(part: float) -> float:
    return part * 12.92 if part <= 0.0031308 else float(1.055 * part ** (1 / 2.4) - 0.055)
