"""The tokenizer's step as an ONNX graph: whole blocks of log-mel in, codes out."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from model_export.families.glm_4_voice.tokenizer import Tokenizer
from model_export.graphs import Feed, export_step


class TokenizerStep(nn.Module):
    """``mel[M, 128]`` and the state → ``codes[C]`` and the next state; M = 2 T = 8 C.

    State: the tails of both convolutions, a cache of keys and values a layer.
    """

    def __init__(self, model: Tokenizer) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("half_norms", model.half_norms().detach())
        self.half_norms: Tensor

    def forward(self, *args: Tensor) -> tuple[Tensor, ...]:
        mel, positions, mask, mel_tail, conv_tail, *past = args
        x, mel_tail, conv_tail = self.model.stem(mel[None], mel_tail[None], conv_tail[None])
        pairs = [(k[None], v[None]) for k, v in zip(past[0::2], past[1::2], strict=True)]
        x, fresh = self.model.encode(x, positions, mask, pairs)
        codes = self.model.quantise(x, self.half_norms)
        rows = (tensor[0] for pair in fresh for tensor in pair)
        return (codes[0], mel_tail[0], conv_tail[0], *rows)


def step_feeds(model: Tokenizer, new: int, past: int) -> list[Feed]:
    """Inputs of the step for ``new`` frames of 50 Hz after ``past``."""
    cfg = model.cfg
    feeds = [
        Feed("mel", torch.zeros(2 * new, cfg.mels), {0: "M"}),
        Feed("position_ids", torch.arange(past, past + new), {0: "T"}),
        Feed("mask", torch.zeros(new, past + new), {0: "T", 1: "P+T"}),
        Feed("mel_tail", torch.zeros(cfg.mels, 2), {}),
        Feed("conv_tail", torch.zeros(cfg.dim, 2), {}),
    ]
    row = (past, cfg.heads, cfg.head_dim)
    for n in range(cfg.layers):
        feeds += [
            Feed(f"past_k_{n}", torch.zeros(row), {0: "P"}),
            Feed(f"past_v_{n}", torch.zeros(row), {0: "P"}),
        ]
    return feeds


def export_tokenizer(model: Tokenizer, path: Path) -> None:
    """Write the graph; the first step is fed caches of no rows."""
    rows = [f"new_{kind}_{n}" for n in range(model.cfg.layers) for kind in "kv"]
    export_step(
        TokenizerStep(model), step_feeds(model, new=24, past=16),
        ["codes", "mel_tail_out", "conv_tail_out", *rows], path,
        {"codes": {0: "C"}} | {name: {0: "T"} for name in rows},
    )  # fmt: skip
