"""Opening the bundle that serves, or one on trial, by its generation's name."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from device.errors import BundleError, EngineError
from device.manifest import MANIFEST_NAME, Manifest
from ota.generations import Generations
from services.bundles import chosen_bundle, shipped_bundle
from services.models import load_model
from services.settings import Settings
from services.voice.trial.exchange import Loaded

log = logging.getLogger(__name__)


def directory(settings: Settings, generation: str) -> Path:
    """Where a generation lies."""
    return settings.model.generations / "gen" / generation


def manifest_of(path: Path) -> Manifest:
    """A bundle's manifest, its files unverified.

    Raises:
        BundleError: it cannot be read.
    """
    try:
        return Manifest.parse((path / MANIFEST_NAME).read_bytes(), str(path))
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise BundleError(str(path), f"cannot be read ({why})", "install it again") from error


def open_generation(settings: Settings, generation: str) -> Loaded:
    """The model of a generation; of an empty name, what the settings choose.

    Raises:
        BundleError, EngineError: as ``load_model``.
    """
    if not generation:
        return _opened(settings, chosen_bundle(settings))
    return _opened(settings, directory(settings, generation))


def open_serving(settings: Settings) -> Loaded:
    """What shall answer, be it a makeshift.

    A chosen bundle that does not load must not leave the home without a voice: the generation
    before is tried, then what Linnet came with. A bundle named in the settings is the owner's
    word; nothing is tried in its place.

    Raises:
        BundleError, EngineError: none of them loads; the first one's fault.
    """
    if settings.model.family == "cascade":
        return Loaded(load_model(settings))
    try:
        return _opened(settings, chosen_bundle(settings))
    except (BundleError, EngineError) as error:
        for path in _others(settings):
            log.error("the bundle does not load", extra={"reason": str(error), "next": path.name})
            with contextlib.suppress(BundleError, EngineError):
                return replace(_opened(settings, path), makeshift=True)
        raise


def _others(settings: Settings) -> Iterator[Path]:
    """What may stand in for the chosen bundle, in this order."""
    chosen = chosen_bundle(settings)
    if settings.model.bundle is not None:
        return
    previous = Generations(settings.model.generations).previous()
    if previous is not None and previous != chosen:
        yield previous
    shipped = shipped_bundle(settings)
    if chosen != shipped and shipped.is_dir():
        yield shipped


def _opened(settings: Settings, path: Path) -> Loaded:
    model = settings.model.model_copy(update={"bundle": path})
    try:
        found = load_model(settings.model_copy(update={"model": model}))
    except ValueError as error:  # its hashes are right and its content is not
        raise BundleError(str(path), str(error), "install another") from error
    manifest = manifest_of(path)
    installed = path.parent == settings.model.generations / "gen"
    return Loaded(
        found,
        path.name if installed else "",
        manifest.hardware.memory_mb,
        english="en" in manifest.languages,
        version=manifest.version,
    )
