"""Which model bundle this machine uses."""

from __future__ import annotations

from pathlib import Path

from ota.generations import Generations
from services.settings import Settings

SHIPPED = Path(__file__).resolve().parent.parent / "bundles"
"""Where a checkout keeps the bundles it came with."""

_SHIPPED_NAMES = {
    "linnet_mini": "linnet_mini-en",
    "glm_4_voice": "glm_4_voice",  # never shipped: its weights may not be
    "cascade": "linnet_mini-en",
}


def chosen_bundle(settings: Settings) -> Path:
    """The bundle directory the settings name, else the installed generation, else the shipped one.

    It is not opened: ``Bundle.open`` verifies it and says what is wrong with it.
    """
    if settings.model.bundle is not None:
        return settings.model.bundle
    installed = Generations(settings.model.generations).current()
    return installed or shipped_bundle(settings)


def shipped_bundle(settings: Settings) -> Path:
    """What came with Linnet for the chosen family."""
    return SHIPPED / _SHIPPED_NAMES[settings.model.family]
