"""A GLM checkpoint of any size as one quantised graph with its weights beside it.

Three passes: the graph is traced without weights and quantised as a shape; the float model is run
layer by layer on speech to see how large activations get; then every weight is read, rounded,
written to its place and forgotten, while the rounded layers answer the speech held out for that.
Memory holds one layer in float32 twice, or some thousand rows of the vocabulary.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import torch
from onnx import TensorProto
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from device.engine.contract import Precision
from model_export.families import glm_layers
from model_export.families.glm import Glm, GlmConfig, rope_tables
from model_export.families.glm_graph import GlmStep, step_feeds
from model_export.families.glm_layers import LINEARS, Calibration, Floats, Judge, Progress, Weights
from model_export.graphs import skeleton
from model_export.half import to_half
from model_export.linear import split_gemms
from model_export.memory import give_back
from model_export.onnx_graph import ExportError, at_opset, readers, remove_unused
from model_export.placeholders import inputs_to_placeholders, is_placeholder, note
from model_export.quantize import quantize
from model_export.rounding import INT8, int4_blocks, int8_columns, pack_int4, restored, scale_of
from model_export.samples import held_out
from model_export.smooth import factors
from model_export.weight_file import WeightFile

Wanted = Literal["fp16", "int8", "int4", "w8"]
"""``w8`` has int8 weights and float32 everything else: the form that a CPU runs fastest."""
HeadKind = Literal["fp16", "int8"]
STORED: Mapping[Wanted, Precision] = {
    "fp16": "fp16",
    "int8": "w8a8",
    "int4": "w4",
    "w8": "w8",
}
SMALL = 64 << 10  # bytes of a tensor that stays in the graph
BLOCK_ROWS = 4096  # of a large weight at once
_HEAD, _TABLE = "output_layer.weight", "word_embeddings.weight"


@dataclass(frozen=True)
class Plan:
    """How to store the model."""

    wanted: Wanted
    head: HeadKind = "fp16"
    """With int4; an int8 model has an int8 head."""
    smooth: float | None = None
    """SmoothQuant's alpha, with int8."""

    def __post_init__(self) -> None:
        if self.smooth is not None and (self.wanted != "int8" or not 0.0 <= self.smooth <= 1.0):
            raise ExportError("smooth: is an alpha of 0..1, for int8 alone")


@dataclass(frozen=True)
class Streamed:
    """What was written and how well it answers; figures are empty for no speech."""

    graph: Path
    weights: Path
    precision: Precision
    weights_sha256: str
    figures: Mapping[str, float]


def export_streamed(
    cfg: GlmConfig,
    weights: Weights,
    speech: Sequence[Sequence[int]],
    plan: Plan,
    folder: Path,
    name: str = "lm",
    said: Progress = lambda line: None,
) -> Streamed:
    """Write ``<name>.onnx`` and ``<name>.weights`` into ``folder``.

    Args:
        cfg: sizes.
        weights: the float model, read a few rows at a time.
        speech: sequences of ids to calibrate on and, held out, to be judged by.
        plan: what to store.
        folder: an existing directory of our own.
        said: told what is being done.

    Raises:
        ExportError: int8 without speech, or a layer that int4 does not fit.
        CheckpointError: the weights cannot be read.
    """
    if plan.wanted == "int8" and not speech:
        raise ExportError("int8: needs speech to calibrate on; give some")
    said("tracing the graph")
    model = traced(cfg, plan)
    give_back()
    seen = Calibration()
    if speech:
        seen = glm_layers.calibrate(cfg, weights, speech, said)
    scales = _Scales(plan, seen)
    model = _structure(model, plan, scales)
    path = folder / f"{name}.onnx"
    with WeightFile(folder / f"{name}.weights") as file:
        writer = _Writer(cfg, weights, model, file, scales, plan)
        _, judged = held_out(len(speech))
        figures = writer.run([speech[place] for place in judged], seen, said)
    onnx.save(model, path)
    return Streamed(path, file.path, STORED[plan.wanted], file.sha256, figures)


def traced(cfg: GlmConfig, plan: Plan) -> onnx.ModelProto:
    """The float graph with placeholders for weights, at the opset that the plan needs."""
    with FakeTensorMode():
        model = Glm(cfg)
        step, feeds = GlmStep(model), step_feeds(model, new=3, past=5)
    names = [f"new_{kind}_{n}" for n in range(cfg.layers) for kind in "kv"]
    proto = skeleton(step, feeds, ["logits", *names])
    proto = at_opset(proto, {"fp16": 18, "int8": 19, "int4": 21, "w8": 18}[plan.wanted])
    fed = {feed.name for feed in feeds}
    sources = {item.name: _source(item.name) for item in proto.graph.input if item.name not in fed}
    inputs_to_placeholders(proto, sources)
    split_gemms(proto.graph, (), ("Gemm",))  # so that every weight is [K, N]
    remove_unused(proto.graph)
    return proto


def _source(name: str) -> str:
    """``GlmStep``'s name of a parameter → ``Glm``'s."""
    return _HEAD if name == "head.weight" else name.removeprefix("model.")


@dataclass
class _Scales:
    """Activation ranges and smoothing factors, worked out from what was seen."""

    plan: Plan
    seen: Calibration
    factors: dict[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.plan.smooth is None:
            return
        for key, rows in self.seen.rows.items():
            if key.endswith(("query_key_value.weight", "dense_h_to_4h.weight")):  # after a norm
                self.factors[key] = factors(self.seen.channels[key], rows, self.plan.smooth)

    def range(self, key: str) -> float:
        """The greatest magnitude that the input of a linear layer is quantised for."""
        return float((self.seen.channels[key] / self.factors.get(key, np.float32(1))).max())

    def activation(self, key: str) -> float | None:
        """The stored activation scale, None where activations stay float."""
        if self.plan.wanted != "int8":
            return None
        return float(scale_of(np.float64(self.range(key)), INT8, np.float16))

    def applied(self, key: str, values: Floats) -> Floats:
        """A weight or a norm's gain as it is to be stored."""
        if key in self.factors:
            return values * self.factors[key]
        linear = _smoothed_by(key)
        return values / self.factors[linear] if linear in self.factors else values


def _smoothed_by(key: str) -> str:
    """The linear layer that reads the norm ``key``."""
    stem, _, last = key.rpartition("layers.")[2].partition(".")
    after = {
        "input_layernorm.weight": "query_key_value.weight",
        "post_attention_layernorm.weight": "dense_h_to_4h.weight",
    }
    return f"layers.{stem}.{after[last]}" if last in after else ""


def _structure(model: onnx.ModelProto, plan: Plan, scales: _Scales) -> onnx.ModelProto:
    """Q and DQ nodes and half floats, with placeholders where values are to come."""
    if plan.wanted == "w8":
        return quantize(model, "w8").model
    if plan.wanted == "int8":
        model = quantize(model, "w8a8", ranges=_ranges(model, scales)).model
    if plan.wanted == "int4":
        model = quantize(model, "w4", exclude=["head.*"]).model
        if plan.head == "int8":
            head = "head.weight__transposed"
            body = [node.name for node in model.graph.node if list(node.input[1:2]) != [head]]
            model = quantize(model, "w8", exclude=body).model
    return to_half(model, tables=["*word_embeddings*"])


def structured(model: onnx.ModelProto, plan: Plan, seen: Calibration) -> onnx.ModelProto:
    """What ``traced`` gave, as it will be stored: every shape and type, no value."""
    return _structure(model, plan, _Scales(plan, seen))


def _ranges(model: onnx.ModelProto, scales: _Scales) -> dict[str, float]:
    users = readers(model.graph)
    found = {}
    for tensor in model.graph.initializer:
        if is_placeholder(tensor) and len(tensor.dims) == 2:
            key = note(tensor)[0]
            for user in users.get(tensor.name, []):
                if user.op_type == "MatMul":
                    found[user.input[0]] = scales.range(key)
    return found


class _Writer:
    """Fills the placeholders of a graph in the order in which the model is read."""

    def __init__(
        self, cfg: GlmConfig, weights: Weights, model: onnx.ModelProto, file: WeightFile,
        scales: _Scales, plan: Plan,
    ) -> None:  # fmt: skip
        self.cfg, self.weights, self.file, self.scales, self.plan = (
            cfg, weights, file, scales, plan,
        )  # fmt: skip
        self.waiting: dict[str, list[TensorProto]] = defaultdict(list)
        for tensor in model.graph.initializer:
            if is_placeholder(tensor):
                self.waiting[note(tensor)[0]].append(tensor)
            elif len(tensor.raw_data) > SMALL:
                values = np.frombuffer(tensor.raw_data, np.uint8)
                file.add(tensor, values)

    def run(
        self, speech: Sequence[Sequence[int]], seen: Calibration, said: Progress
    ) -> dict[str, float]:
        """Write everything; returns how the rounded model answers ``speech``, held out."""
        for name, table in zip(("cos", "sin"), rope_tables(self.cfg), strict=True):
            self._fill(name, table.numpy())
        said("writing the embedding")
        self._rows(_TABLE)
        states = glm_layers.embedded(self.weights, speech)
        for number in range(self.cfg.layers):
            said(f"writing layer {number + 1} of {self.cfg.layers}")
            states = self._layer(number, states)
        self._fill("final_layernorm.weight", self.weights.read("final_layernorm.weight"))
        hidden = glm_layers.normed(self.cfg, self.weights, states)
        said("writing the head")
        judge = self._head(hidden, seen.hidden)
        if self.waiting:
            raise ExportError(f"lm: nothing fills {sorted(self.waiting)[:5]}")
        return {"top1": judge.top1(), "snr_db": judge.snr_db()} if speech else {}

    def _layer(self, number: int, states: list[Tensor]) -> list[Tensor]:
        layer = glm_layers.float_layer(self.cfg, self.weights, number)
        with torch.no_grad():
            for name, tensor in layer.named_parameters():
                key = f"layers.{number}.{name}"
                stored = self._fill(key, self.scales.applied(key, tensor.numpy()))
                if name.removesuffix(".weight") in LINEARS and name.endswith(".weight"):
                    linear = getattr(layer, name.removesuffix(".weight"))
                    glm_layers.fake_quantised(linear, stored, self.scales.activation(key))
                else:
                    tensor.copy_(torch.from_numpy(stored))
        return [glm_layers.run_layer(self.cfg, layer, x) for x in states]

    def _fill(self, key: str, values: Floats) -> Floats:
        """Store everything that is made of one weight; what an engine will compute with."""
        result = values
        for columns in _groups(self.waiting.pop(key)):
            made, result = _encoded(columns, values)
            for tensor in columns:
                self._store(tensor, made[note(tensor)[1]])
        return result

    def _store(self, tensor: TensorProto, values: np.ndarray) -> None:
        if values.nbytes > SMALL:
            self.file.add(tensor, values)
            return
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
        tensor.raw_data = np.ascontiguousarray(values).tobytes()

    def _rows(self, key: str) -> None:
        """Store a table of rows as it is."""
        (tensor,) = tensors = self.waiting.pop(key)
        made = (_encoded(tensors, values)[0] for _, values in self._blocks(key))
        self.file.add_rows(tensor, (stored["value"] for stored in made))

    def _blocks(self, key: str) -> Iterator[tuple[int, Floats]]:
        rows = self.weights.shapes[key][0]
        for start in range(0, rows, BLOCK_ROWS):
            yield start, self.weights.rows(key, start, min(rows, start + BLOCK_ROWS))

    def _head(self, hidden: list[Tensor], exact: list[Tensor]) -> Judge:
        """The output layer, some rows of the vocabulary at a time."""
        (columns,) = _groups(self.waiting.pop(_HEAD))
        judge = Judge()
        scale = self.scales.activation(_HEAD)
        ours, theirs = (torch.cat(states) if states else None for states in (hidden, exact))
        if ours is not None and scale is not None:
            ours = (ours / scale).round().clamp(-INT8, INT8) * scale
        with self.file.by_columns(columns) as places:
            for start, values in self._blocks(_HEAD):
                made, stored = _encoded(columns, values)
                for tensor, place in zip(columns, places, strict=True):
                    place.put(start, made[note(tensor)[1]])
                if ours is not None and theirs is not None:
                    judge.add(
                        glm_layers.head_logits(theirs, values),
                        glm_layers.head_logits(ours, stored.T),
                        start,
                    )
        return judge


def _groups(tensors: list[TensorProto]) -> list[list[TensorProto]]:
    """Placeholders that are made together: codes with their scales, values alone."""
    codes = [tensor for tensor in tensors if note(tensor)[1] != "value"]
    return ([codes] if codes else []) + [[t] for t in tensors if note(t)[1] == "value"]


def _encoded(tensors: list[TensorProto], values: Floats) -> tuple[dict[str, np.ndarray], Floats]:
    """The stored forms by role, and what an engine will compute with ([K, N] for a weight)."""
    roles = {note(tensor)[1]: tensor for tensor in tensors}
    any_tensor = tensors[0]
    turned = values.T if note(any_tensor)[2] else values
    if "int4" in roles:
        kind = _float(roles["scale4"])
        codes, scale = int4_blocks(turned, kind)
        return {"int4": pack_int4(codes), "scale4": scale}, restored(codes, scale)
    if "int8" in roles:
        codes, scale = int8_columns(turned, _float(roles["scale"]))
        return {"int8": codes, "scale": scale}, restored(codes, scale)
    if _float(any_tensor) is np.float16 and np.abs(turned).max() > np.finfo(np.float16).max:
        raise ExportError(f"{any_tensor.name}: has values beyond fp16")
    stored = turned.astype(_float(any_tensor))
    return {"value": stored}, stored.astype(np.float32)


def _float(tensor: TensorProto) -> type[np.float16] | type[np.float32]:
    return np.float16 if tensor.data_type == TensorProto.FLOAT16 else np.float32
