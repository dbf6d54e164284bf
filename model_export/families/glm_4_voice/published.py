"""What the published checkpoints hold: every tensor's name and shape, told without allocating one.

The four are ``glm-4-voice-tokenizer`` and ``glm-4-voice-9b`` (safetensors), and ``flow.pt`` and
``hift.pt`` of ``glm-4-voice-decoder`` (pickles of plain tensors).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import nn

from model_export.families.glm import Glm, GlmConfig
from model_export.families.glm_4_voice.flow import Flow, FlowConfig
from model_export.families.glm_4_voice.hift import Hift, HiftConfig
from model_export.families.glm_4_voice.lm import NOT_LOADED, published_name
from model_export.families.glm_4_voice.tokenizer import Tokenizer, TokenizerConfig

Shapes = Mapping[str, tuple[int, ...]]


def tokenizer_shapes(cfg: TokenizerConfig) -> dict[str, tuple[int, ...]]:
    """249 tensors; see ``tokenizer_extras`` for those that are not loaded."""
    return _shapes(lambda: Tokenizer(cfg)) | tokenizer_extras(cfg)


def tokenizer_extras(cfg: TokenizerConfig) -> dict[str, tuple[int, ...]]:
    """Running means by which the codebook was learnt; of no use afterwards."""
    return {"ema_count": (cfg.codes,), "ema_weight": (cfg.codes, cfg.dim)}


def lm_shapes(cfg: GlmConfig) -> dict[str, tuple[int, ...]]:
    """7 a layer, four more, and those of ``lm.NOT_LOADED``."""
    own = _shapes(lambda: Glm(cfg))
    published = {published_name(name): shape for name, shape in own.items()}
    return published | dict.fromkeys(NOT_LOADED, (cfg.rotary // 2,))


def flow_shapes(cfg: FlowConfig) -> dict[str, tuple[int, ...]]:
    """1,185 tensors, all loaded."""
    return _shapes(lambda: Flow(cfg))


def hift_shapes(cfg: HiftConfig) -> dict[str, tuple[int, ...]]:
    """227 tensors, all loaded."""
    return _shapes(lambda: Hift(cfg))


def _shapes(make: Callable[[], nn.Module]) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in make().state_dict().items()}
