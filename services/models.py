"""From settings to a loaded speech model, whichever family answers."""

from __future__ import annotations

from device.bundle import Bundle
from device.engine.factory import EngineFactory
from device.errors import BundleError
from services.bundles import chosen_bundle
from services.settings import Settings
from services.voice.families.base import SpeechModel


def load_model(settings: Settings) -> SpeechModel:
    """Open the model that the settings name.

    Raises:
        BundleError, EngineError: its bundle is missing, damaged, of another family, or does not
            fit this machine.
        ModuleNotFoundError: the family wants an optional package that is not installed.
    """
    if settings.model.family == "cascade":
        from services.voice.families.cascade import Cascade

        return Cascade()
    return _built_in(settings)


def _built_in(settings: Settings) -> SpeechModel:
    from services.voice.families.linnet_mini import LinnetMini

    bundle = Bundle.open(chosen_bundle(settings))
    if bundle.manifest.family != settings.model.family:
        raise BundleError(
            str(bundle.root),
            f"is of the family {bundle.manifest.family}, not {settings.model.family}",
            "set model.bundle and model.family to match",
        )
    return LinnetMini.open(bundle, EngineFactory(threads=settings.model.threads))
