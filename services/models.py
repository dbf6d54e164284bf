"""From settings to a loaded speech model, whichever family answers."""

from __future__ import annotations

from collections.abc import Mapping

from device.bundle import Bundle
from device.engine.factory import EngineFactory
from device.errors import BundleError
from services.bundles import chosen_bundle
from services.settings import Settings
from services.voice.families.base import SpeechModel


def load_model(settings: Settings, **parts: bool) -> SpeechModel:
    """Open the model that the settings name.

    Args:
        parts: ``tokenizer=False`` or ``opinion=False`` leaves one of the built-in family's two
            recognisers out, to measure the other alone.

    Raises:
        BundleError, EngineError: its bundle is missing, damaged, of another family, or does not
            fit this machine.
        ValueError: the family has no such parts.
        ModuleNotFoundError: the family wants an optional package that is not installed.
    """
    if settings.model.family == "cascade":
        from services.voice.families.cascade import Cascade

        if parts:
            raise ValueError(f"the cascade has no parts {', '.join(parts)} to leave out")
        return Cascade()
    return _from_bundle(settings, parts)


def _from_bundle(settings: Settings, parts: Mapping[str, bool]) -> SpeechModel:
    """The model of a bundle, by its family. Raises as ``load_model``."""
    bundle = Bundle.open(chosen_bundle(settings))
    if bundle.manifest.family != settings.model.family:
        raise BundleError(
            str(bundle.root),
            f"is of the family {bundle.manifest.family}, not {settings.model.family}",
            "set model.bundle and model.family to match",
        )
    model = settings.model
    engines = EngineFactory(model.backend, model.threads, model.plans)
    if model.family == "glm_4_voice":
        from services.voice.families.glm_4_voice import Glm4Voice

        if parts:
            raise ValueError(f"GLM-4-Voice has no parts {', '.join(parts)} to leave out")
        return Glm4Voice.open(bundle, engines)
    from services.voice.families.linnet_mini import LinnetMini

    return LinnetMini.open(bundle, engines, **parts)
