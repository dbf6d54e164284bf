"""The 9 B language model is ``Glm``: held against transformers' GLM at a small width."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from device.engine.onnx_cpu import OnnxCpuEngine
from device.speech.language_model import LanguageModel
from model_export.families.glm import Glm, causal_mask
from model_export.families.glm_4_voice.lm import (
    AUDIO_HEAD,
    AUDIO_IDS,
    PUBLISHED,
    PublishedConfig,
    published_name,
)
from model_export.families.glm_graph import export_glm
from model_export.pack import PartSource, pack
from tests.support.bundle_head import head
from tests.support.glm_bundle import tiny_glm, tiny_networks
from tests.support.parity import needs_transformers

SMALL = PublishedConfig(
    padded_vocab_size=320, hidden_size=64, num_layers=3, num_attention_heads=8,
    multi_query_group_num=2, kv_channels=16, ffn_hidden_size=96, seq_length=128,
    layernorm_epsilon=3.90625e-08,
)  # fmt: skip
TOLERANCE = 1e-6  # logits, float32
CACHED = 5e-6  # matrix products of other shapes add in another order
IDS = torch.from_numpy(np.random.default_rng(1).integers(0, 320, (1, 48)))
SLICE = range(200, 260)


@pytest.fixture(scope="module")
def model() -> Glm:
    torch.manual_seed(2)
    glm = Glm(SMALL.glm()).eval()
    for name, parameter in glm.named_parameters():
        if name.endswith("bias") or "layernorm" in name:
            torch.nn.init.normal_(parameter, mean=float("norm" in name), std=0.2)
    return glm


@torch.no_grad()
def logits_of(model: Glm) -> torch.Tensor:
    hidden, _ = model(IDS, torch.arange(IDS.shape[1]), causal_mask(IDS.shape[1]))
    return model.output_layer(hidden)


def transformers_twin(model: Glm) -> torch.nn.Module:
    """transformers' model with the weights that we would write under the checkpoint's names."""
    from transformers import GlmConfig, GlmForCausalLM

    cfg = model.cfg
    twin = GlmForCausalLM(
        GlmConfig(
            vocab_size=cfg.vocab, hidden_size=cfg.dim, intermediate_size=cfg.ffn,
            num_hidden_layers=cfg.layers, num_attention_heads=cfg.heads,
            num_key_value_heads=cfg.kv_heads, head_dim=cfg.head_dim, rms_norm_eps=cfg.norm_eps,
            max_position_embeddings=cfg.max_len, attn_implementation="eager", pad_token_id=0,
        )
    ).eval()  # fmt: skip
    checkpoint = {published_name(name): p for name, p in model.named_parameters()}
    twin.load_state_dict(_as_transformers(checkpoint, cfg.heads, cfg.kv_heads, cfg.head_dim))
    return twin


RENAMED = (
    ("transformer.embedding.word_embeddings", "model.embed_tokens"),
    ("transformer.output_layer", "lm_head"),
    ("transformer.encoder.final_layernorm", "model.norm"),
    ("transformer.encoder.layers", "model.layers"),
    ("self_attention.dense", "self_attn.o_proj"),
    ("mlp.dense_h_to_4h", "mlp.gate_up_proj"),
    ("mlp.dense_4h_to_h", "mlp.down_proj"),
)


def _as_transformers(
    checkpoint: dict[str, torch.Tensor], heads: int, kv_heads: int, head_dim: int
) -> dict[str, torch.Tensor]:
    made = {}
    for name, tensor in checkpoint.items():
        for ours, theirs in RENAMED:
            name = name.replace(ours, theirs)
        if "query_key_value" not in name:
            made[name] = tensor
            continue
        rows = tensor.split([heads * head_dim, kv_heads * head_dim, kv_heads * head_dim])
        for letter, part in zip("qkv", rows, strict=True):
            made[name.replace("self_attention.query_key_value", f"self_attn.{letter}_proj")] = part
    return made


@needs_transformers
def test_its_logits_are_those_of_transformers(model: Glm) -> None:
    with torch.no_grad():
        wanted = transformers_twin(model)(IDS).logits
    assert wanted.abs().max() > 0.1
    torch.testing.assert_close(logits_of(model), wanted, atol=TOLERANCE, rtol=0)


def test_decoding_token_by_token_gives_the_logits_of_the_whole(model: Glm) -> None:
    cfg, wanted = model.cfg, logits_of(model)
    none = torch.zeros(1, 0, cfg.kv_heads, cfg.head_dim)
    past = [(none, none)] * cfg.layers
    with torch.no_grad():
        for at in range(IDS.shape[1]):
            one = IDS[:, at : at + 1]
            hidden, fresh = model(one, torch.tensor([at]), torch.zeros(1, at + 1), past)
            pairs = zip(past, fresh, strict=True)
            past = [(torch.cat([p[0], k], 1), torch.cat([p[1], v], 1)) for p, (k, v) in pairs]
            got = model.output_layer(hidden)
            torch.testing.assert_close(got[0, 0], wanted[0, at], atol=CACHED, rtol=0)


def reads_as_torch(lm: LanguageModel, wanted: np.ndarray) -> None:
    ids = IDS[0].tolist()
    np.testing.assert_allclose(lm.read(ids[:40]), wanted[39], atol=CACHED)
    for at in range(40, 48):
        np.testing.assert_allclose(lm.read([ids[at]]), wanted[at], atol=CACHED)


def test_the_graph_decodes_as_torch() -> None:
    glm = tiny_networks().lm
    lm = LanguageModel(OnnxCpuEngine(tiny_glm().part("lm")), glm.cfg.max_len)
    reads_as_torch(lm, logits_of(glm)[0].numpy())


def test_the_graph_decodes_with_a_slice_of_the_head(model: Glm, tmp_path: Path) -> None:
    export_glm(model, tmp_path / "lm.onnx", SLICE)
    source = PartSource(tmp_path / "lm.onnx", "fp32")
    bundle = pack(tmp_path / "bundle", head(), {"lm": source}, {})
    lm = LanguageModel(OnnxCpuEngine(bundle.part("lm")), model.cfg.max_len)
    reads_as_torch(lm, logits_of(model)[0].numpy()[:, SLICE.start : SLICE.stop])


def test_the_names_are_the_284_of_the_checkpoint() -> None:
    with torch.device("meta"):
        whole = Glm(PUBLISHED.glm())
    shapes = {published_name(name): tuple(p.shape) for name, p in whole.named_parameters()}
    assert len(shapes) == 283  # and the rotary frequencies, which are computed
    prefix = "transformer.encoder.layers.39."
    assert shapes["transformer.embedding.word_embeddings.weight"] == (168_960, 4096)
    assert shapes["transformer.output_layer.weight"] == (168_960, 4096)
    assert shapes["transformer.encoder.final_layernorm.weight"] == (4096,)
    assert {name.removeprefix(prefix): s for name, s in shapes.items() if prefix in name} == {
        "input_layernorm.weight": (4096,),
        "self_attention.query_key_value.weight": (4608, 4096),
        "self_attention.query_key_value.bias": (4608,),
        "self_attention.dense.weight": (4096, 4096),
        "post_attention_layernorm.weight": (4096,),
        "mlp.dense_h_to_4h.weight": (27_392, 4096),
        "mlp.dense_4h_to_h.weight": (4096, 13_696),
    }


def test_the_audio_head_holds_the_audio_ids_and_the_tokens_that_end_a_turn() -> None:
    assert len(AUDIO_IDS) == 16_384
    assert {151_329, 151_336, 151_338} <= set(AUDIO_HEAD)
    assert set(AUDIO_IDS) <= set(AUDIO_HEAD)
    assert len(AUDIO_HEAD) == 17_408


def test_a_config_of_another_architecture_is_refused() -> None:
    given = PUBLISHED.model_dump()
    assert PublishedConfig.model_validate(given | {"torch_dtype": "bfloat16"}) == PUBLISHED
    for key, value in [
        ("add_bias_linear", True), ("original_rope", False), ("num_layers", "40"),
        ("num_attention_heads", 31),
    ]:  # fmt: skip
        with pytest.raises(ValidationError, match=key):
            PublishedConfig.model_validate(given | {key: value})
