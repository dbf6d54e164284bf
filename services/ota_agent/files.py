"""Files that the updater's settings name, and what to say where they cannot be used."""

from __future__ import annotations

from pathlib import Path

from services.settings_file import Problem, SettingsError


def read_named(path: Path, key: str, limit: int) -> bytes:
    """What is in a file that a key of ``[ota]`` names. Raises SettingsError."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise fault(key, str(path), error.strerror or type(error).__name__) from error
    if len(data) > limit:
        raise fault(key, str(path), f"is larger than {limit} bytes")
    return data


def fault(key: str, value: str | None, why: str) -> SettingsError:
    """What is wrong with a key of ``[ota]``."""
    return SettingsError([Problem("settings", None, f"ota.{key}", value, why)])
