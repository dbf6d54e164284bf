"""The published folders of GLM-4-Voice, random weights at small width."""

from __future__ import annotations

from pathlib import Path

from model_export.families.glm_4_voice.estimator import EstimatorConfig
from model_export.families.glm_4_voice.files import DecoderSizes, WhisperConfig
from model_export.families.glm_4_voice.flow import FlowConfig
from model_export.families.glm_4_voice.flow_encoder import FlowEncoderConfig
from model_export.families.glm_4_voice.hift import HiftConfig
from model_export.families.glm_4_voice.lm import PublishedConfig
from model_export.families.glm_4_voice.synthetic import Folders, write_folders

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


def write_checkpoints(root: Path) -> Folders:
    """All three folders; the vocabulary is as large as the published one."""
    return write_folders(root, WHISPER, LM, SIZES)


class InMemory:
    """A ``Glm``'s weights, read as a checkpoint's are."""

    def __init__(self, model):
        self.state = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
        self.shapes = {name: values.shape for name, values in self.state.items()}

    def read(self, name):
        return self.state[name].copy()

    def rows(self, name, start, stop):
        return self.state[name][start:stop].copy()
