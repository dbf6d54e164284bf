"""The GLM decoder as one ONNX graph for prefill, decoding and scoring."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from model_export.families.glm import Glm
from model_export.graphs import Feed, export_step


class GlmStep(nn.Module):
    """``ids[T]`` after a cache of P rows → ``logits[R, V]`` of the asked rows, new cache rows.

    Decoding asks for the last row; judging a given text asks for all of them. ``vocabulary`` keeps
    the output layer to a range of ids, so that the other rows need not be read at every token:
    ``logits[R, len(vocabulary)]``.
    """

    def __init__(self, model: Glm, vocabulary: range | None = None) -> None:
        super().__init__()
        self.model = model
        self.head = model.output_layer if vocabulary is None else _rows_of(model, vocabulary)

    def forward(self, *args: Tensor) -> tuple[Tensor, ...]:
        ids, positions, mask, rows, *past = args
        pairs = [(k[None], v[None]) for k, v in zip(past[0::2], past[1::2], strict=True)]
        hidden, fresh = self.model(ids[None], positions, mask, pairs)
        logits = self.head(hidden[0][rows])
        return (logits, *(tensor[0] for pair in fresh for tensor in pair))


def _rows_of(model: Glm, vocabulary: range) -> nn.Linear:
    head = nn.Linear(model.cfg.dim, len(vocabulary), bias=False, device="meta")
    rows = model.output_layer.weight[vocabulary.start : vocabulary.stop]  # a view: no copy
    head.weight = nn.Parameter(rows.detach(), requires_grad=False)
    return head


def step_feeds(model: Glm, new: int, past: int) -> list[Feed]:
    """Inputs of the step for ``new`` ids after ``past``."""
    cfg = model.cfg
    feeds = [
        Feed("ids", torch.zeros(new, dtype=torch.int64), {0: "T"}),
        Feed("position_ids", torch.arange(past, past + new), {0: "T"}),
        Feed("mask", torch.zeros(new, past + new), {0: "T", 1: "P+T"}),
        Feed("rows", torch.arange(2), {0: "R"}),
    ]
    row = (past, cfg.kv_heads, cfg.head_dim)
    for n in range(cfg.layers):
        feeds += [
            Feed(f"past_k_{n}", torch.zeros(row), {0: "P"}),
            Feed(f"past_v_{n}", torch.zeros(row), {0: "P"}),
        ]
    return feeds


def export_glm(model: Glm, path: Path, vocabulary: range | None = None) -> None:
    """Write the graph; positions beyond the rotary table are the caller's error."""
    names = [f"new_{kind}_{n}" for n in range(model.cfg.layers) for kind in "kv"]
    step = GlmStep(model, vocabulary)
    export_step(step, step_feeds(model, new=3, past=5), ["logits", *names], path)
