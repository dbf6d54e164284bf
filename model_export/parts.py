"""A part that fits into memory, from float graph to what is shipped: rounded, judged, linted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnx

from device.bundle import BundlePart
from device.engine.contract import EngineSpec, Precision
from model_export import gates, lint
from model_export.calibrate import Runs
from model_export.gates import Gate
from model_export.half import to_half
from model_export.onnx_graph import load, matches, tensor_specs
from model_export.quantize import Mode, quantize
from model_export.workplace import Made, Profile

Form = Literal["fp32", "fp16", "w8a8", "w8a8+fp16", "w8"]
"""How to store a part; after a plus, what the rest of it is computed in."""
TOLD = 3
"""Weights with scales of their own that are told by name."""
PERCENT = 99.99  # of activation magnitudes that int8 keeps in range


@dataclass(frozen=True)
class Recipe:
    """What a part needs beside its weights.

    Attributes:
        profile: least, usual and greatest sizes of its open dims.
        gate: what rounding must not spoil; None for a part that is stored as it is.
        float_weights: patterns of weights that are never quantised.
        exact: patterns of weights whose products stay fp32.
        tables: patterns of gathered constants that may be fp16.
        op_types: what is quantised.
        constant_only: see ``to_half``.
    """

    profile: Profile
    gate: Gate | None = None
    float_weights: tuple[str, ...] = ()
    exact: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    op_types: tuple[str, ...] = ("MatMul", "Gemm")
    constant_only: bool = False


def make_part(
    name: str,
    folder: Path,
    export: Callable[[Path], None],
    form: Form,
    recipe: Recipe,
    feeds: Runs,
    *,
    judged: Runs | None = None,
    smooth: float | None = None,
    bar: float | None = None,
    earlier: onnx.ModelProto | None = None,
    said: Callable[[str], None] = lambda line: None,
) -> Made:
    """Export, round, judge against float and lint.

    Args:
        name: of the part.
        folder: where it goes.
        export: writes the float graph to a path.
        form: how to store it.
        recipe: see there.
        feeds: sample inputs of the float graph to calibrate on.
        judged: others to be judged by; None takes ``feeds``.
        smooth: SmoothQuant's alpha.
        bar: another bar than that of the recipe's gate.
        earlier: the part as an earlier release has it, whose scales are kept where they serve.
        said: told how many of them were.

    Raises:
        GateFailed: rounding spoilt it.
        LintError: it must not be shipped.
    """
    path = folder / f"{name}.onnx"
    export(path)
    exact = load(path)
    rounded, precision, kept = _rounded(exact, form, recipe, feeds, smooth, earlier)
    if kept:
        said(_told(name, kept))
    figures: dict[str, float] = {}
    if form != "fp32":
        onnx.save(rounded, path)
        if recipe.gate is not None:
            others = feeds if judged is None else judged
            value = gates.measured(exact, rounded, others, recipe.gate)
            figures = gates.judged(name, recipe.gate, value, bar)
    lint.check(path)
    return Made(path, precision, recipe.profile, figures=figures)


def _rounded(
    model: onnx.ModelProto,
    form: Form,
    recipe: Recipe,
    feeds: Runs,
    smooth: float | None,
    earlier: onnx.ModelProto | None,
) -> tuple[onnx.ModelProto, Precision, Mapping[str, tuple[int, int]]]:
    precision: Precision = "fp32"
    kept: Mapping[str, tuple[int, int]] = {}
    if form.startswith("w8"):
        mode: Mode = "w8a8" if form.startswith("w8a8") else "w8"
        precision = mode
        done = quantize(
            model, mode, feeds=feeds, percent=PERCENT, smooth=smooth,
            exclude=recipe.float_weights, op_types=recipe.op_types, earlier=earlier,
        )  # fmt: skip
        model, kept = done.model, done.kept
    if form.endswith("fp16"):
        keep = _readers_of(model, recipe.exact)
        model = to_half(model, keep=keep, tables=recipe.tables, constant_only=recipe.constant_only)
        precision = "fp16" if precision == "fp32" else precision
    return model, precision, kept


def _told(name: str, kept: Mapping[str, tuple[int, int]]) -> str:
    """``lm: 912 of 1024 scales kept; others in layer_0, layer_3``."""
    old, all_of_them = (sum(counts) for counts in zip(*kept.values(), strict=True))
    others = [weight for weight, (served, of) in kept.items() if served < of]
    more = f" and {len(others) - TOLD} more" if len(others) > TOLD else ""
    where = f"; others in {', '.join(others[:TOLD])}{more}" if others else ""
    return f"{name}: {old} of {all_of_them} scales kept{where}"


def _readers_of(model: onnx.ModelProto, patterns: Sequence[str]) -> list[str]:
    """Labels of nodes that read a constant whose name fits."""
    return [
        node.name
        for node in model.graph.node
        if node.op_type in ("MatMul", "Gemm", "Conv", "ConvTranspose")
        and matches(node.input[1], patterns)
    ]


def unpacked(name: str, path: Path, precision: Precision, profile: Profile) -> BundlePart:
    """A graph that is in no bundle yet, for an engine of this machine."""
    inputs, outputs, state = tensor_specs(load(path, weights=False))
    spec = EngineSpec(
        part=name, inputs=inputs, outputs=outputs, state=state, precision=precision,
        sha256="0" * 64, profile=dict(profile),
    )  # fmt: skip
    return BundlePart(name, path, spec)
