"""Commands of the workshop: found by name, for nothing on the box imports ``model_export``.

An installation may lack the workshop or its packages; then the command says which extra to install.
"""

from __future__ import annotations

import importlib
from types import ModuleType


def workshop(name: str) -> ModuleType:
    """The module ``model_export.commands.<name>``.

    Raises:
        ModuleNotFoundError: it, or a package that it needs, is not installed.
    """
    return importlib.import_module(f"model_export.commands.{name}")
