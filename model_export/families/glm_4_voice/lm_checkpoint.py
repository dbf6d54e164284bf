"""The language model's published files: sizes and names, checked before any weight is read."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from pydantic import ValidationError

from model_export.checkpoints.errors import CheckpointError
from model_export.checkpoints.layout import check_layout
from model_export.checkpoints.renamed import Renamed
from model_export.checkpoints.safetensors import SafetensorsCheckpoint
from model_export.families.glm import Glm, GlmConfig
from model_export.families.glm_4_voice.lm import NOT_LOADED, PublishedConfig, published_name
from model_export.families.glm_4_voice.published import lm_shapes

CONFIG = "config.json"
MAX_CONFIG = 1 << 20


def published_layout(cfg: GlmConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the checkpoint of a model of these sizes."""
    return {name: shape for name, shape in lm_shapes(cfg).items() if name not in NOT_LOADED}


def open_lm(folder: Path) -> tuple[GlmConfig, Renamed]:
    """Sizes and weights of the checkpoint in ``folder``, by ``Glm``'s names.

    Raises:
        CheckpointError: the configuration, a file, a name or a shape is not what it must be.
    """
    cfg = read_config(folder).glm()
    checkpoint = SafetensorsCheckpoint(folder)
    check_layout(checkpoint, published_layout(cfg), NOT_LOADED)
    with torch.device("meta"):
        names = list(Glm(cfg).state_dict())
    return cfg, Renamed(checkpoint, names, published_name)


def read_config(folder: Path) -> PublishedConfig:
    """``config.json``.

    Raises:
        CheckpointError: it is missing, or says another model.
    """
    path = folder / CONFIG
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_CONFIG + 1)
        if len(text) > MAX_CONFIG:
            raise CheckpointError(f"{path}: is larger than {MAX_CONFIG} bytes")
        return PublishedConfig.model_validate(json.loads(text))
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
