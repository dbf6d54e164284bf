"""Flow and vocoder as ONNX graphs. Noise, the solver's loop and the excitation stay outside.

flow_encoder    tokens[T], position_ids[T], mask[T,P+T], caches [P,8,64] → h[T,80], new rows
flow_regulator  h[N,80], nearest[F], voice[1,192] → mu[1,80,F], spk[1,80]
flow_estimator  x[2,80,F], mu[2,80,F], cond[2,80,F], t[2], spk[2,80] → v[2,80,F]
hift_pitch      mel[1,80,T] → pitch[1,T] in Hz
hift_decode     mel[1,80,T], waves[T,256,9] → wave[T,256]

The estimator's two rows are the conditioned run and one with ``mu``, ``cond`` and ``spk`` of zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from device.speech.harmonic_source import HARMONICS, HOP
from model_export.families.glm_4_voice.flow import Flow
from model_export.families.glm_4_voice.hift import Hift
from model_export.families.glm_4_voice.weight_norm import folded
from model_export.graphs import Feed, export_step

# Example sizes, unlike each other and any width, so that no dimension is mistaken for another.
NEW, PAST, TOKENS, FRAMES = 7, 20, 22, 151


class EncoderStep(nn.Module):
    """Tokens behind a cache → encoded tokens and the cache's new rows."""

    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self.flow = flow
        # Keys of all distances, computed once: they depend on nothing but the weights.
        for n, far in enumerate(flow.encoder.distances()):
            self.register_buffer(f"distances_{n}", far.detach().contiguous())

    def forward(self, *args: Tensor) -> tuple[Tensor, ...]:
        tokens, positions, mask, *past = args
        pairs = [(k[None], v[None]) for k, v in zip(past[0::2], past[1::2], strict=True)]
        distances = [self.get_buffer(f"distances_{n}") for n in range(len(pairs))]
        h, fresh = self.flow.encode_step(tokens[None], positions, mask, pairs, distances)
        return (h[0], *(tensor[0] for pair in fresh for tensor in pair))


class RegulatorStep(nn.Module):
    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, *args: Tensor) -> tuple[Tensor, ...]:
        h, index, voice = args
        return self.flow.length_regulator(h[None], index), self.flow.speaker(voice)


class EstimatorStep(nn.Module):
    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self.estimator = flow.decoder.estimator

    def forward(self, *args: Tensor) -> tuple[Tensor, ...]:
        return (self.estimator(*args),)


class PitchStep(nn.Module):
    def __init__(self, hift: Hift) -> None:
        super().__init__()
        self.predictor = folded(hift.f0_predictor)

    def forward(self, *args: Tensor) -> tuple[Tensor, ...]:
        return (self.predictor(args[0]),)


class DecodeStep(nn.Module):
    def __init__(self, hift: Hift) -> None:
        super().__init__()
        self.hift = folded(hift)

    def forward(self, *args: Tensor) -> tuple[Tensor, ...]:
        mel, waves = args
        return (self.hift.decode(mel, self.hift.mix(waves)).reshape(-1, HOP),)


def export_flow_encoder(flow: Flow, path: Path) -> None:
    """Blocks of ten tokens; the first is fed caches of no rows."""
    cfg = flow.cfg.encoder
    feeds = [
        Feed("tokens", torch.zeros(NEW, dtype=torch.int64), {0: "T"}),
        Feed("position_ids", torch.arange(PAST, PAST + NEW), {0: "T"}),
        Feed("mask", torch.zeros(NEW, PAST + NEW), {0: "T", 1: "P+T"}),
    ]
    names = [f"{kind}_{n}" for n in range(cfg.layers) for kind in "kv"]
    row = torch.zeros(PAST, cfg.heads, cfg.head_dim)
    feeds += [Feed(f"past_{name}", row.clone(), {0: "P"}) for name in names]
    new = [f"new_{name}" for name in names]
    _export(EncoderStep(flow), feeds, {name: {0: "T"} for name in ("h", *new)}, path)


def export_flow_regulator(flow: Flow, path: Path) -> None:
    """Any number of tokens to any number of frames."""
    mels = flow.cfg.estimator.mels
    feeds = [
        Feed("h", torch.zeros(TOKENS, mels), {0: "N"}),
        Feed("nearest", torch.zeros(FRAMES, dtype=torch.int64), {0: "F"}),
        Feed("voice", torch.zeros(1, flow.cfg.voice), {}),
    ]
    _export(RegulatorStep(flow), feeds, {"mu": {2: "F"}, "spk": {}}, path)


def export_flow_estimator(flow: Flow, path: Path) -> None:
    """Any number of frames, odd or even; they must not be padded."""
    mels = flow.cfg.estimator.mels
    feeds = [Feed(name, torch.zeros(2, mels, FRAMES), {2: "F"}) for name in ("x", "mu", "cond")]
    feeds += [Feed("t", torch.zeros(2), {}), Feed("spk", torch.zeros(2, mels), {})]
    _export(EstimatorStep(flow), feeds, {"v": {2: "F"}}, path)


def export_hift_pitch(hift: Hift, path: Path) -> None:
    """To be kept in single precision."""
    feeds = [Feed("mel", torch.zeros(1, hift.cfg.mels, TOKENS), {2: "T"})]
    _export(PitchStep(hift), feeds, {"pitch": {1: "T"}}, path)


def export_hift_decode(hift: Hift, path: Path) -> None:
    """At least three frames."""
    feeds = [
        Feed("mel", torch.zeros(1, hift.cfg.mels, TOKENS), {2: "T"}),
        Feed("waves", torch.zeros(TOKENS, HOP, HARMONICS), {0: "T"}),
    ]
    _export(DecodeStep(hift), feeds, {"wave": {0: "T"}}, path)


def _export(
    step: nn.Module, feeds: Sequence[Feed], outputs: dict[str, dict[int, str]], path: Path
) -> None:
    export_step(step, feeds, list(outputs), path, outputs)
