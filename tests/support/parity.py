"""Public implementations that GLM-4-Voice's modules are held against; tests skip without them."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

WHY = "the parity references are not installed: run make test, which installs them"
_BENEATH = ("diffusers", "conformer", "einops", "pillow", "scipy")  # chatterbox-tts


def _installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


needs_transformers = pytest.mark.skipif(not _installed("transformers"), reason=WHY)
needs_chatterbox = pytest.mark.skipif(
    not all(map(_installed, ("chatterbox-tts", *_BENEATH))), reason=WHY
)


@lru_cache(maxsize=1)
def _namespaces() -> None:
    """Stand-ins for chatterbox's packages: their own ``__init__`` wants torchaudio and more."""
    root = Path(str(distribution("chatterbox-tts").locate_file("chatterbox")))
    for inner in ("", "models", "models/s3gen"):
        name = ".".join(["chatterbox", *filter(None, inner.split("/"))])
        package = types.ModuleType(name)
        package.__path__ = [str(root / inner)]
        sys.modules[name] = package


def chatterbox(module: str) -> types.ModuleType:
    """A submodule of chatterbox's token-to-wave stage, such as ``hifigan``."""
    _namespaces()
    return importlib.import_module(f"chatterbox.models.s3gen.{module}")
