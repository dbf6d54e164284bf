"""A checkpoint's ``config.json``, read as far as a model asks for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from model_export.checkpoints.errors import CheckpointError

CONFIG = "config.json"
MAX_CONFIG = 1 << 20
Config = TypeVar("Config", bound=BaseModel)


def read_config(folder: Path, kind: type[Config]) -> Config:
    """``config.json`` of a folder.

    Raises:
        CheckpointError: it is missing, is no JSON, or says another model than ``kind``.
    """
    path = folder / CONFIG
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_CONFIG + 1)
        if len(text) > MAX_CONFIG:
            raise CheckpointError(f"{path}: is larger than {MAX_CONFIG} bytes")
        return kind.model_validate(json.loads(text))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise CheckpointError(f"{path}: is another model's ({'; '.join(faults)})") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: is no JSON") from error
