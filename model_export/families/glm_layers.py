"""A GLM of any size run one layer at a time: only one layer's weights are ever in memory.

Serves calibration (how large the inputs of each linear layer get) and judgement (what quantised
weights and activations would answer), on a workstation that could not hold the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_export.families.glm import GlmConfig, GlmLayer, RmsNorm, causal_mask, rope_tables
from model_export.samples import held_out

LINEARS = ("query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h")
HEAD_ROWS = 8192  # of the output layer at once
Floats = npt.NDArray[np.float32]
Progress = Callable[[str], None]


class Weights(Protocol):
    """Tensors of a ``Glm`` by the class's own names, as float32."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]: ...

    def read(self, name: str) -> Floats: ...

    def rows(self, name: str, start: int, stop: int) -> Floats: ...


@dataclass
class Calibration:
    """What was seen: for each linear layer, the greatest magnitude of each input channel.

    ``rows`` has the greatest magnitude of each weight's columns, which smoothing needs; ``hidden``
    the final hidden states of the sequences to be judged by, one [T, C] each.
    """

    channels: dict[str, Floats] = field(default_factory=dict)
    rows: dict[str, Floats] = field(default_factory=dict)
    hidden: list[Tensor] = field(default_factory=list)


def calibrate(
    cfg: GlmConfig, weights: Weights, sequences: Sequence[Sequence[int]], said: Progress
) -> Calibration:
    """Run ``sequences`` of ids through the float model and watch every linear layer.

    Those held out are run before anything is watched.
    """
    found = Calibration()
    watched, judged = held_out(len(sequences))
    states = embedded(weights, sequences)
    unseen = set(judged) - set(watched)
    for number in range(cfg.layers):
        said(f"calibrating layer {number + 1} of {cfg.layers}")
        layer = float_layer(cfg, weights, number)
        for place in unseen:
            states[place] = run_layer(cfg, layer, states[place])
        for name in LINEARS:
            linear = getattr(layer, name)
            key = f"layers.{number}.{name}.weight"
            found.rows[key] = linear.weight.abs().amax(dim=0).numpy()
            linear.register_forward_pre_hook(_watch(found.channels, key))
        for place in watched:
            states[place] = run_layer(cfg, layer, states[place])
        del layer, linear  # before the next one is read
    last = normed(cfg, weights, states)
    found.hidden = [last[place] for place in judged]
    found.channels["output_layer.weight"] = np.max(
        [last[place].abs().amax(dim=0).numpy() for place in watched], axis=0
    )
    return found


def embedded(weights: Weights, sequences: Sequence[Sequence[int]]) -> list[Tensor]:
    """Rows of the embedding table, read one by one: [T, C] a sequence."""
    table: dict[int, Floats] = {}
    for token in sorted({token for ids in sequences for token in ids}):
        table[token] = weights.rows("word_embeddings.weight", token, token + 1)[0]
    return [torch.from_numpy(np.stack([table[token] for token in ids])) for ids in sequences]


def float_layer(cfg: GlmConfig, weights: Weights, number: int) -> GlmLayer:
    """Layer ``number`` with its weights."""
    with torch.device("meta"):
        layer = GlmLayer(cfg)
    names = list(layer.state_dict())
    state = {name: torch.from_numpy(weights.read(f"layers.{number}.{name}")) for name in names}
    layer.load_state_dict(state, assign=True)
    return layer.eval().requires_grad_(False)


@torch.no_grad()
def run_layer(cfg: GlmConfig, layer: GlmLayer, x: Tensor) -> Tensor:
    """One layer over a whole sequence: [T, C] → [T, C]."""
    cos, sin = rope_tables(cfg)
    length = x.shape[0]
    y, _, _ = layer(x[None], cos[:length], sin[:length], causal_mask(length), None)
    out: Tensor = y[0]
    return out


@torch.no_grad()
def normed(cfg: GlmConfig, weights: Weights, states: list[Tensor]) -> list[Tensor]:
    norm = RmsNorm(cfg.dim, cfg.norm_eps)
    norm.weight = nn.Parameter(torch.from_numpy(weights.read("final_layernorm.weight")))
    return [norm(x) for x in states]


@dataclass
class Judge:
    """Compares two rows of logits piece by piece: the vocabulary may be large."""

    greatest: list[Tensor] = field(default_factory=list)
    wrong: float = 0.0
    whole: float = 0.0
    _best: tuple[Tensor, Tensor, Tensor, Tensor] | None = None

    def add(self, exact: Tensor, found: Tensor, first: int) -> None:
        """Logits [T, n] of the ids from ``first`` on, by both models."""
        self.wrong += float((exact - found).double().square().sum())
        self.whole += float(exact.double().square().sum())
        new = (*exact.max(dim=1), *found.max(dim=1))
        new = (new[0], new[1] + first, new[2], new[3] + first)
        if self._best is not None:
            old = self._best
            a, b = new[0] > old[0], new[2] > old[2]
            new = (
                torch.where(a, new[0], old[0]), torch.where(a, new[1], old[1]),
                torch.where(b, new[2], old[2]), torch.where(b, new[3], old[3]),
            )  # fmt: skip
        self._best = new

    def top1(self) -> float:
        """Share of positions where both would say the same id."""
        if self._best is None:
            return float("nan")
        return float((self._best[1] == self._best[3]).float().mean())

    def snr_db(self) -> float:
        """Size of the logits over the size of the error, in dB."""
        return float(10 * np.log10(self.whole / max(self.wrong, 1e-30)))


def fake_quantised(linear: nn.Linear, weight: Floats, scale: float | None) -> None:
    """Let ``linear`` compute as an engine would: restored weight [K, N], int8 activations."""
    linear.weight = nn.Parameter(torch.from_numpy(weight.T), False)  # a view
    if scale is not None:
        linear.register_forward_pre_hook(_rounding(scale))


def head_logits(hidden: Tensor, weight: Floats) -> Tensor:
    """[T, C] by rows [n, C] of the output layer."""
    return F.linear(hidden, torch.from_numpy(np.ascontiguousarray(weight)))


def _watch(channels: dict[str, Floats], key: str) -> Callable[[nn.Module, Any], None]:
    def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen = inputs[0].abs().flatten(0, -2).amax(dim=0).numpy()
        channels[key] = np.maximum(channels[key], seen) if key in channels else seen

    return hook


def _rounding(scale: float) -> Callable[[nn.Module, Any], Any]:
    def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return ((inputs[0] / scale).round().clamp(-127, 127) * scale,)

    return hook
