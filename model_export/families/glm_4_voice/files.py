"""The published files of GLM-4-Voice: opened and checked as a whole before any is read.

Three folders: the tokenizer's (``config.json``, safetensors), the language model's
(``config.json``, safetensors shards, ``tokenizer.model``, ``tokenizer_config.json``) and the
decoder's (``flow.pt``, ``hift.pt``), which has no configuration to read: its sizes are known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import nn

from model_export.checkpoints.config import read_config
from model_export.checkpoints.errors import CheckpointError
from model_export.checkpoints.layout import Checkpoint, check_layout
from model_export.checkpoints.pickled import PickledCheckpoint
from model_export.checkpoints.ranks import check_vocabulary
from model_export.checkpoints.renamed import Renamed
from model_export.checkpoints.safetensors import SafetensorsCheckpoint
from model_export.families.glm import GlmConfig
from model_export.families.glm_4_voice.flow import Flow, FlowConfig
from model_export.families.glm_4_voice.hift import Hift, HiftConfig
from model_export.families.glm_4_voice.licence import licence_files
from model_export.families.glm_4_voice.lm import AUDIO_IDS
from model_export.families.glm_4_voice.lm_checkpoint import open_lm
from model_export.families.glm_4_voice.published import (
    Shapes,
    flow_shapes,
    hift_shapes,
    tokenizer_extras,
    tokenizer_shapes,
)
from model_export.families.glm_4_voice.tokenizer import Tokenizer, TokenizerConfig

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class DecoderSizes:
    """Of the two networks of the decoder; smaller ones are for tests."""

    flow: FlowConfig = field(default_factory=FlowConfig)
    hift: HiftConfig = field(default_factory=HiftConfig)


class WhisperConfig(BaseModel):
    """What the tokenizer's ``config.json`` must say; other keys are not read.

    Literal are those that the network is written for, and those that the box counts by.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    d_model: int = Field(ge=1, le=100_000)
    encoder_attention_heads: int = Field(ge=1, le=1_000)
    encoder_ffn_dim: int = Field(ge=1, le=100_000)
    quantize_position: int = Field(ge=1, le=1_000)
    quantize_vocab_size: int = Field(ge=2, le=1_000_000)
    quantize_causal_block_size: Literal[200]
    num_mel_bins: Literal[128]
    max_source_positions: Literal[1500]
    pooling_kernel_size: Literal[4]
    pooling_type: Literal["avg"] = "avg"
    pooling_position: int | None = None  # as quantize_position
    encoder_causal_convolution: Literal[True] = True
    encoder_causal_attention: Literal[False] = False  # by blocks instead
    quantize_causal_encoder: Literal[False] = False
    activation_function: Literal["gelu"] = "gelu"
    scale_embedding: Literal[False] = False

    @model_validator(mode="after")
    def _fits_together(self) -> WhisperConfig:
        if self.pooling_position not in (None, self.quantize_position):
            raise ValueError("pooling_position is not quantize_position")
        if self.d_model % self.encoder_attention_heads:
            raise ValueError("d_model is no multiple of encoder_attention_heads")
        return self

    def tokenizer(self) -> TokenizerConfig:
        """The same in our words."""
        return TokenizerConfig(
            mels=self.num_mel_bins, dim=self.d_model, heads=self.encoder_attention_heads,
            ffn=self.encoder_ffn_dim, layers=self.quantize_position,
            block=self.quantize_causal_block_size, pool=self.pooling_kernel_size,
            positions=self.max_source_positions, codes=self.quantize_vocab_size,
        )  # fmt: skip


@dataclass(frozen=True)
class Published:
    """All four networks, none of them read yet."""

    tokenizer_config: TokenizerConfig
    tokenizer_weights: Checkpoint
    lm_config: GlmConfig
    lm_weights: Renamed
    decoder: DecoderSizes
    flow_weights: Checkpoint
    hift_weights: Checkpoint
    vocabulary: Path
    licences: Mapping[str, Path]
    """Licence files by the name that each will have in a bundle."""
    files: tuple[Path, ...]

    def tokenizer(self) -> Tokenizer:
        """The tokenizer with its weights."""
        return _filled(lambda: Tokenizer(self.tokenizer_config), self.tokenizer_weights)

    def flow(self) -> Flow:
        """Token-to-mel with its weights."""
        return _filled(lambda: Flow(self.decoder.flow), self.flow_weights)

    def hift(self) -> Hift:
        """The vocoder with its weights."""
        return _filled(lambda: Hift(self.decoder.hift), self.hift_weights)


def open_published(
    tokenizer: Path, lm: Path, decoder: Path, sizes: DecoderSizes | None = None
) -> Published:
    """Check every file, name and shape, and the vocabulary.

    Raises:
        CheckpointError: with everything that is wrong with all three folders, one finding a line.
    """
    sizes = sizes or DecoderSizes()
    faults: list[str] = []
    hearing = _tried(faults, lambda: _open_tokenizer(tokenizer))
    speaking = _tried(faults, lambda: open_lm(lm))
    _tried(faults, lambda: check_vocabulary(lm))
    flow = _tried(faults, lambda: _open_pt(decoder / "flow.pt", flow_shapes(sizes.flow)))
    hift = _tried(faults, lambda: _open_pt(decoder / "hift.pt", hift_shapes(sizes.hift)))
    if hearing is not None and speaking is not None:
        faults += _disagreements(hearing[0], speaking[0], sizes)
    if hearing is None or speaking is None or flow is None or hift is None or faults:
        raise CheckpointError("\n".join(faults))
    places = (lm, tokenizer, decoder)
    licences = licence_files({"lm": lm, "tokenizer": tokenizer, "decoder": decoder})
    files = [path for folder in places for path in sorted(folder.iterdir()) if path.is_file()]
    vocabulary = lm / "tokenizer.model"
    return Published(*hearing, *speaking, sizes, flow, hift, vocabulary, licences, tuple(files))


Opened = TypeVar("Opened")


def _tried(faults: list[str], opened: Callable[[], Opened]) -> Opened | None:
    """What ``opened`` gives, or None and its complaint among the ``faults``."""
    try:
        return opened()
    except CheckpointError as error:
        faults.append(str(error))
        return None


def _disagreements(hearing: TokenizerConfig, lm: GlmConfig, sizes: DecoderSizes) -> list[str]:
    """What three networks, each right by itself, must have in common."""
    found = []
    if hearing.codes != sizes.flow.codes:
        found.append(f"tokenizer: has {hearing.codes} codes, and flow.pt {sizes.flow.codes}")
    if lm.vocab < AUDIO_IDS.stop:
        found.append(f"lm: has {lm.vocab} ids; the published vocabulary has {AUDIO_IDS.stop}")
    return found


def _open_tokenizer(folder: Path) -> tuple[TokenizerConfig, Checkpoint]:
    cfg = read_config(folder, WhisperConfig).tokenizer()
    checkpoint = SafetensorsCheckpoint(folder)
    extras = tokenizer_extras(cfg)
    wanted = {n: s for n, s in tokenizer_shapes(cfg).items() if n not in extras}
    check_layout(checkpoint, wanted, tuple(extras))
    return cfg, checkpoint


def _open_pt(path: Path, shapes: Shapes) -> Checkpoint:
    checkpoint = PickledCheckpoint(path)
    check_layout(checkpoint, shapes)
    return checkpoint


def _filled(model: Callable[[], Module], checkpoint: Checkpoint) -> Module:
    """A module with the weights of a checkpoint; buffers are computed, not read."""
    made = model()
    with torch.no_grad():
        for name, tensor in made.state_dict().items():
            tensor.copy_(torch.from_numpy(checkpoint.read(name)))
    return made.eval().requires_grad_(False)
