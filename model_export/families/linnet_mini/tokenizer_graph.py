"""The tokenizer's step as an ONNX graph: one 320 ms block in, codes and letters out."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from model_export.families.linnet_mini.tokenizer import BlockState, Tokenizer
from model_export.graphs import Feed, export_step


class TokenizerStep(nn.Module):
    """``mel[32, 80]`` and the state → ``codes[4]``, ``ctc[16, 29]`` and the next state.

    State: two tails of the stem, then per block a cache of keys and values (rows of 25 Hz, the
    last 72 are fed) and the tail of its convolution.
    """

    def __init__(self, model: Tokenizer) -> None:
        super().__init__()
        self.model = model

    def forward(self, *args: Tensor) -> tuple[Tensor, ...]:
        mel, positions, mask, tail1, tail2, *state = args
        m = self.model
        x, tail1, tail2 = m._stem(mel[None], tail1[None], tail2[None])
        blocks = [
            BlockState(k[None], v[None], tail[None])
            for k, v, tail in zip(state[0::3], state[1::3], state[2::3], strict=True)
        ]
        after: list[Tensor] = [tail1[0], tail2[0]]
        for block, old in zip(m.pre, blocks, strict=False):
            x, new = block(x, positions, mask, old)
            after += [new.k[0], new.v[0], new.tail[0]]
        h = m.pre_norm(x)
        z = m.quantiser.norm(m.pool(h.reshape(1, h.shape[1] // 2, -1)))
        codes = m.quantiser.indices(z)
        y = m.expand(m.quantiser.codebook[codes]).reshape(1, h.shape[1], -1)
        for block, old in zip(m.post, blocks[len(m.pre) :], strict=True):
            y, new = block(y, positions, mask, old)
            after += [new.k[0], new.v[0], new.tail[0]]
        letters = m._letters(m.ctc, h)[0]
        behind = m._letters(m.ctc_post, m.post_norm(y))[0]
        return (codes[0], letters, behind, *after)


def step_feeds(model: Tokenizer, past: int) -> list[Feed]:
    """Inputs of the step with ``past`` rows in its caches."""
    cfg = model.cfg
    feeds = [
        Feed("mel", torch.zeros(cfg.block_mels, cfg.n_mels), {}),
        Feed("position_ids", torch.arange(past, past + cfg.block), {}),
        Feed("mask", torch.zeros(cfg.block, past + cfg.block), {1: "P+8"}),
        Feed("stem_tail_0", torch.zeros(cfg.n_mels, model.conv1.tail), {}),
        Feed("stem_tail_1", torch.zeros(cfg.dim, model.conv2.tail), {}),
    ]
    row = (past, cfg.heads, cfg.dim // cfg.heads)
    for n in range(cfg.pre_blocks + cfg.post_blocks):
        feeds += [
            Feed(f"past_k_{n}", torch.zeros(row), {0: "P"}),
            Feed(f"past_v_{n}", torch.zeros(row), {0: "P"}),
            Feed(f"conv_tail_{n}", torch.zeros(cfg.dim, cfg.kernel - 1), {}),
        ]
    return feeds


def output_names(model: Tokenizer) -> list[str]:
    names = ["codes", "ctc", "ctc_post", "stem_tail_0_out", "stem_tail_1_out"]
    for n in range(model.cfg.pre_blocks + model.cfg.post_blocks):
        names += [f"new_k_{n}", f"new_v_{n}", f"conv_tail_{n}_out"]
    return names


def export_tokenizer(model: Tokenizer, path: Path) -> None:
    export_step(TokenizerStep(model), step_feeds(model, past=16), output_names(model), path)
