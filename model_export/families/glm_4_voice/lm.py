"""The 9 B language model of GLM-4-Voice: the ``Glm`` class at the published ``config.json``.

The checkpoint's names differ from ours only by prefixes; its rotary frequencies are computed here.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from model_export.families.glm import GlmConfig

TEXT_IDS = 151_329  # byte-pair ranks 0 … 151328; the special tokens begin here
AUDIO_IDS = range(152_353, 168_737)  # <|audio_0|> … <|audio_16383|>
AUDIO_HEAD = range(TEXT_IDS, AUDIO_IDS.stop)
"""Rows of the output layer that an audio run needs: the audio ids and, before them, every special
token, so that the turn can end. 17,408 of 168,960 rows, 10 % of the bytes."""
NOT_LOADED = ("transformer.rotary_pos_emb.inv_freq",)

_Size = Field(strict=True, ge=1, le=1_000_000)


class PublishedConfig(BaseModel):
    """What ``config.json`` must say for this class to be its model; other keys are not read."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    padded_vocab_size: int = _Size
    hidden_size: int = _Size
    num_layers: int = Field(strict=True, ge=1, le=1_000)
    num_attention_heads: int = Field(strict=True, ge=1, le=1_000)
    multi_query_group_num: int = Field(strict=True, ge=1, le=1_000)
    kv_channels: int = Field(strict=True, ge=4, le=1_024)
    ffn_hidden_size: int = _Size
    seq_length: int = Field(strict=True, ge=1, le=10_000_000)
    layernorm_epsilon: float = Field(gt=0, lt=1e-2)
    rope_ratio: float = Field(default=1.0, gt=0, le=1e6)
    multi_query_attention: Literal[True] = True
    add_qkv_bias: Literal[True] = True
    add_bias_linear: Literal[False] = False
    rmsnorm: Literal[True] = True
    post_layer_norm: Literal[True] = True
    original_rope: Literal[True] = True
    apply_residual_connection_post_layernorm: Literal[False] = False
    tie_word_embeddings: Literal[False] = False

    @model_validator(mode="after")
    def _heads_are_shared_evenly(self) -> PublishedConfig:
        if self.num_attention_heads % self.multi_query_group_num:
            raise ValueError("num_attention_heads is no multiple of multi_query_group_num")
        return self

    def glm(self) -> GlmConfig:
        """The same in our words."""
        return GlmConfig(
            vocab=self.padded_vocab_size,
            dim=self.hidden_size,
            layers=self.num_layers,
            heads=self.num_attention_heads,
            kv_heads=self.multi_query_group_num,
            head_dim=self.kv_channels,
            ffn=self.ffn_hidden_size,
            max_len=self.seq_length,
            norm_eps=self.layernorm_epsilon,
            rope_theta=10_000.0 * self.rope_ratio,
        )


PUBLISHED = PublishedConfig(
    padded_vocab_size=168_960,
    hidden_size=4096,
    num_layers=40,
    num_attention_heads=32,
    multi_query_group_num=2,
    kv_channels=128,
    ffn_hidden_size=13_696,
    seq_length=8192,
    layernorm_epsilon=3.90625e-08,
)
"""The published 9 B; a checkpoint's own ``config.json`` goes before it."""


def published_name(name: str) -> str:
    """The checkpoint's name of one of ``Glm``'s parameters."""
    place, _, rest = name.partition(".")
    if place == "word_embeddings":
        return f"transformer.embedding.{name}"
    if place == "output_layer":
        return f"transformer.{name}"
    if place != "layers":
        return f"transformer.encoder.{name}"
    number, _, inner = rest.partition(".")
    if inner.startswith(("query_key_value.", "dense.")):
        inner = f"self_attention.{inner}"
    elif inner.startswith("dense_"):
        inner = f"mlp.{inner}"
    return f"transformer.encoder.layers.{number}.{inner}"
