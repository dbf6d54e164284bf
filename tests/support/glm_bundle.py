"""A bundle of GLM-4-Voice's layout, tiny and with random weights, made once a test run."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

from device.bundle import Bundle
from model_export.families.glm_4_voice.random_bundle import SIZES, Networks, build, networks

_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []  # gone when the process ends


@lru_cache(maxsize=1)
def tiny_glm() -> Bundle:
    """Half a minute the first time: whoever needs graphs of this family, take these."""
    _FOLDERS.append(tempfile.TemporaryDirectory(prefix="glm"))
    return build(Path(_FOLDERS[-1].name) / "bundle", SIZES["tiny"])


@lru_cache(maxsize=1)
def tiny_networks() -> Networks:
    """What its graphs were made of, in torch."""
    return networks(SIZES["tiny"])
