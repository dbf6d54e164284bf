"""Whether the speech model knows the language that the home is typed to in."""

from __future__ import annotations

from collections.abc import Iterable

from device.errors import DeviceError
from device.manifest import MANIFEST_NAME, Manifest
from services.bundles import chosen_bundle
from services.settings import Settings


def speaks(language: str, known: Iterable[str]) -> bool:
    """Whether a language, such as ``en-GB``, is among those of a model, such as ``en``."""
    return any(language == one or language.partition("-")[0] == one for one in known)


def not_spoken(settings: Settings) -> str | None:
    """Why the model of the settings cannot speak their language; None where it can, or where its
    bundle cannot be read, which others tell."""
    path = chosen_bundle(settings) / MANIFEST_NAME
    try:
        known = Manifest.parse(path.read_bytes(), str(path)).languages
    except (OSError, DeviceError):
        return None
    if speaks(settings.home.language, known):
        return None
    return f"the speech model knows {', '.join(known)}, not {settings.home.language}"
