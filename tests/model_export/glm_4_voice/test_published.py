"""At the published sizes our modules have the tensors of the published checkpoints, no more."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from model_export.checkpoints.config import read_config
from model_export.checkpoints.errors import CheckpointError
from model_export.families.glm_4_voice.files import WhisperConfig
from model_export.families.glm_4_voice.flow import FlowConfig
from model_export.families.glm_4_voice.hift import HiftConfig
from model_export.families.glm_4_voice.lm import NOT_LOADED, PUBLISHED
from model_export.families.glm_4_voice.published import (
    Shapes,
    flow_shapes,
    hift_shapes,
    lm_shapes,
    tokenizer_extras,
    tokenizer_shapes,
)
from model_export.families.glm_4_voice.tokenizer import TokenizerConfig


def numbers(shapes: Shapes, without: Shapes | tuple[str, ...] = ()) -> int:
    return sum(math.prod(shape) for name, shape in shapes.items() if name not in without)


def test_the_tokenizer() -> None:
    cfg = TokenizerConfig()
    shapes, extras = tokenizer_shapes(cfg), tokenizer_extras(cfg)
    assert len(shapes) == 249
    assert numbers(shapes, extras) == 343_599_360
    assert numbers(extras) == 20_987_904
    assert shapes["conv1.weight"] == (1280, 128, 3)
    assert shapes["layers.15.self_attn.k_proj.weight"] == (1280, 1280)
    assert "layers.15.self_attn.k_proj.bias" not in shapes
    assert shapes["embed_positions2.weight"] == (375, 1280)


TOKENIZER = {  # of the published config.json
    "d_model": 1280, "encoder_attention_heads": 20, "encoder_ffn_dim": 5120, "encoder_layers": 32,
    "num_mel_bins": 128, "max_source_positions": 1500, "activation_function": "gelu",
    "scale_embedding": False, "pooling_kernel_size": 4, "pooling_type": "avg",
    "pooling_position": 16, "quantize_position": 16, "quantize_vocab_size": 16384,
    "quantize_causal_block_size": 200, "encoder_causal_convolution": True,
    "encoder_causal_attention": False, "quantize_causal_encoder": False,
    "quantize_ema_decay": 0.99,
}  # fmt: skip


def test_the_published_tokenizer_is_the_one_that_is_built() -> None:
    assert WhisperConfig.model_validate(TOKENIZER).tokenizer() == TokenizerConfig()


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("pooling_type", "max", "pooling_type"),
        ("pooling_position", 8, "pooling_position is not quantize_position"),
        ("encoder_causal_convolution", False, "encoder_causal_convolution"),
        ("encoder_causal_attention", True, "encoder_causal_attention"),
        ("quantize_causal_encoder", True, "quantize_causal_encoder"),
        ("encoder_attention_heads", 24, "d_model is no multiple of encoder_attention_heads"),
        ("quantize_causal_block_size", 100, "quantize_causal_block_size"),
        ("max_source_positions", 3000, "max_source_positions"),
        ("activation_function", "relu", "activation_function"),
    ],
)
def test_a_tokenizer_that_the_box_would_run_wrong_is_refused(
    tmp_path: Path, key: str, value: object, complaint: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(TOKENIZER | {key: value}))
    with pytest.raises(CheckpointError, match=complaint):
        read_config(tmp_path, WhisperConfig)


def test_the_language_model() -> None:
    shapes = lm_shapes(PUBLISHED.glm())
    assert len(shapes) == 284
    assert numbers(shapes, NOT_LOADED) == 9_542_557_696
    assert shapes["transformer.rotary_pos_emb.inv_freq"] == (32,)


def test_the_flow() -> None:
    shapes = flow_shapes(FlowConfig())
    assert len(shapes) == 1185
    assert numbers(shapes) == 111_166_208
    estimator = {n: s for n, s in shapes.items() if n.startswith("decoder.estimator.")}
    assert numbers(estimator) == 81_878_864


def test_the_vocoder() -> None:
    shapes = hift_shapes(HiftConfig())
    assert len(shapes) == 227
    assert numbers(shapes) == 20_460_591


FLOW = "decoder.estimator."


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("input_embedding.weight", (16_384, 512)),
        ("spk_embed_affine_layer.weight", (80, 192)),
        ("encoder.embed.out.0.weight", (512, 512)),
        ("encoder.encoders.5.self_attn.linear_pos.weight", (512, 512)),
        ("encoder.encoders.5.self_attn.pos_bias_u", (8, 64)),
        ("encoder.encoders.0.feed_forward.w_1.weight", (2048, 512)),
        ("encoder.encoders.0.norm_mha.bias", (512,)),
        ("encoder_proj.weight", (80, 512)),
        ("length_regulator.model.9.weight", (80, 80, 3)),
        ("length_regulator.model.10.weight", (80,)),
        ("length_regulator.model.12.weight", (80, 80, 1)),
        (FLOW + "time_mlp.linear_1.weight", (1024, 320)),
        (FLOW + "down_blocks.0.0.res_conv.weight", (256, 320, 1)),
        (FLOW + "down_blocks.0.2.conv.weight", (256, 256, 3)),
        (FLOW + "down_blocks.1.2.weight", (256, 256, 3)),
        (FLOW + "mid_blocks.11.1.3.attn1.to_out.0.weight", (256, 512)),
        (FLOW + "mid_blocks.0.1.0.ff.net.0.proj.weight", (1024, 256)),
        (FLOW + "mid_blocks.0.1.0.ff.net.2.weight", (256, 1024)),
        (FLOW + "up_blocks.0.0.block1.block.0.weight", (256, 512, 3)),
        (FLOW + "up_blocks.0.2.conv.weight", (256, 256, 4)),
        (FLOW + "up_blocks.1.2.weight", (256, 256, 3)),
        (FLOW + "final_block.block.1.weight", (256,)),
        (FLOW + "final_proj.weight", (80, 256, 1)),
    ],
)
def test_a_tensor_of_the_flow(name: str, shape: tuple[int, ...]) -> None:
    assert flow_shapes(FlowConfig())[name] == shape


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("m_source.l_linear.weight", (1, 9)),
        ("conv_pre.weight_g", (512, 1, 1)),
        ("conv_pre.weight_v", (512, 80, 7)),
        ("ups.0.weight_g", (512, 1, 1)),
        ("ups.0.weight_v", (512, 256, 16)),
        ("ups.1.weight_v", (256, 128, 16)),
        ("source_downs.0.weight", (256, 18, 16)),
        ("source_downs.1.weight", (128, 18, 1)),
        ("source_resblocks.1.convs2.2.weight_v", (128, 128, 11)),
        ("source_resblocks.0.activations1.0.alpha", (256,)),
        ("resblocks.2.convs1.0.weight_v", (256, 256, 11)),
        ("resblocks.3.convs1.0.weight_v", (128, 128, 3)),
        ("conv_post.weight_g", (18, 1, 1)),
        ("conv_post.weight_v", (18, 128, 7)),
        ("f0_predictor.condnet.8.weight_v", (512, 512, 3)),
        ("f0_predictor.classifier.weight", (1, 512)),
    ],
)
def test_a_tensor_of_the_vocoder(name: str, shape: tuple[int, ...]) -> None:
    assert hift_shapes(HiftConfig())[name] == shape
