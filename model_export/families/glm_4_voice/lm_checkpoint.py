"""The language model's published files: sizes and names, checked before any weight is read."""

from __future__ import annotations

from pathlib import Path

import torch

from model_export.checkpoints.config import read_config
from model_export.checkpoints.layout import check_layout
from model_export.checkpoints.renamed import Renamed
from model_export.checkpoints.safetensors import SafetensorsCheckpoint
from model_export.families.glm import Glm, GlmConfig
from model_export.families.glm_4_voice.lm import NOT_LOADED, PublishedConfig, published_name
from model_export.families.glm_4_voice.published import lm_shapes


def published_layout(cfg: GlmConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the checkpoint of a model of these sizes."""
    return {name: shape for name, shape in lm_shapes(cfg).items() if name not in NOT_LOADED}


def open_lm(folder: Path) -> tuple[GlmConfig, Renamed]:
    """Sizes and weights of the checkpoint in ``folder``, by ``Glm``'s names.

    Raises:
        CheckpointError: the configuration, a file, a name or a shape is not what it must be.
    """
    cfg = read_config(folder, PublishedConfig).glm()
    checkpoint = SafetensorsCheckpoint(folder)
    check_layout(checkpoint, published_layout(cfg), NOT_LOADED)
    with torch.device("meta"):
        names = list(Glm(cfg).state_dict())
    return cfg, Renamed(checkpoint, names, published_name)
