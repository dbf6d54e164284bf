"""The published folders of GLM-4-Voice, random weights at small width, as publishers write them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

import torch

from model_export.checkpoints.ranks import SPECIALS, TEXT_RANKS
from model_export.checkpoints.synthetic import write_random_shards
from model_export.families.glm_4_voice.estimator import EstimatorConfig
from model_export.families.glm_4_voice.files import DecoderSizes, WhisperConfig
from model_export.families.glm_4_voice.flow import Flow, FlowConfig
from model_export.families.glm_4_voice.flow_encoder import FlowEncoderConfig
from model_export.families.glm_4_voice.hift import Hift, HiftConfig
from model_export.families.glm_4_voice.lm import PublishedConfig
from model_export.families.glm_4_voice.lm_checkpoint import published_layout
from model_export.families.glm_4_voice.tokenizer import Tokenizer

CODES = 512
SIZES = DecoderSizes(
    FlowConfig(
        codes=CODES,
        encoder=FlowEncoderConfig(dim=64, heads=4, ffn=96, layers=2, positions=128),
        estimator=EstimatorConfig(dim=32, heads=2, head_dim=16, transformers=1, middle=1),
    ),
    HiftConfig(dim=32, pitch_dim=24),
)
WHISPER = WhisperConfig(
    d_model=64, encoder_attention_heads=4, encoder_ffn_dim=96, quantize_position=2,
    quantize_vocab_size=CODES, quantize_causal_block_size=200, num_mel_bins=128,
    max_source_positions=1500, pooling_kernel_size=4,
)  # fmt: skip
LM = PublishedConfig(
    padded_vocab_size=168_960, hidden_size=128, num_layers=2, num_attention_heads=4,
    multi_query_group_num=2, kv_channels=64, ffn_hidden_size=256, seq_length=1024,
    layernorm_epsilon=3.90625e-08,
)  # fmt: skip


@dataclass(frozen=True)
class Folders:
    tokenizer: Path
    lm: Path
    decoder: Path


def write_checkpoints(root: Path) -> Folders:
    """All three folders; the vocabulary is as large as the published one."""
    folders = Folders(root / "tokenizer", root / "lm", root / "decoder")
    torch.manual_seed(0)
    with torch.device("meta"):
        hearing = {
            n: tuple(t.shape) for n, t in Tokenizer(WHISPER.tokenizer()).state_dict().items()
        }
    hearing |= {"ema_count": (CODES,), "ema_weight": (CODES, WHISPER.d_model)}
    write_random_shards(folders.tokenizer, hearing, 1)
    (folders.tokenizer / "config.json").write_text(WHISPER.model_dump_json())
    layout = published_layout(LM.glm()) | {"transformer.rotary_pos_emb.inv_freq": (16,)}
    write_random_shards(folders.lm, layout, 4)
    (folders.lm / "config.json").write_text(LM.model_dump_json())
    (folders.lm / "LICENSE").write_text("The licence of the weights.\n")
    write_vocabulary(folders.lm)
    folders.decoder.mkdir()
    torch.save(Flow(SIZES.flow).state_dict(), folders.decoder / "flow.pt")
    torch.save(Hift(SIZES.hift).state_dict(), folders.decoder / "hift.pt")
    return folders


def write_vocabulary(folder: Path, **changes: int) -> None:
    """``tokenizer.model`` and ``tokenizer_config.json``; ``changes`` move special tokens.

    The pieces are the 256 bytes, of which any text is made, and others that no text has.
    """
    lines = (
        base64.b64encode(number.to_bytes(1 if number < 256 else 3, "big")).decode() + f" {number}"
        for number in range(TEXT_RANKS)
    )
    (folder / "tokenizer.model").write_text("\n".join(lines))
    listed = {str(number): {"content": tag} for tag, number in (SPECIALS | changes).items()}
    (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": listed}))
