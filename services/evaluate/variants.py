"""The model as it ships, and each of its two recognisers alone."""

from __future__ import annotations

from collections.abc import Mapping

from services.models import load_model
from services.settings import Settings
from services.voice.families.base import SpeechModel

VARIANTS: Mapping[str, Mapping[str, bool]] = {
    "fused": {},
    "tokenizer_alone": {"opinion": False},
    "opinion_alone": {"tokenizer": False},
}
"""Key of the report → options of ``load_model``."""


def open_variant(settings: Settings, variant: str) -> SpeechModel:
    """Raises what ``load_model`` raises."""
    return load_model(settings, **VARIANTS[variant])
