"""Which kernels a plan really runs: read from TensorRT's inspector on the board itself."""

from __future__ import annotations

from device.bundle import BundlePart
from device.engine.graph_facts import quantised_linears
from device.engine.inspector import by_type, int8_share, read_layers
from device.engine.tensorrt_run import TensorRtEngine
from device.errors import EngineLoadError
from services.engine.checks import Check, Figures

LEAST_INT8 = 0.9
SHOWN = 8  # names of layers that are not INT8


def kernels(part: BundlePart, engine: TensorRtEngine) -> Check:
    """Whether at least nine of ten layers that were quantised run in INT8."""
    name = f"kernels, {part.name}"
    try:
        layers = read_layers(engine.inspect(), f"plan of {part.name}")
    except EngineLoadError as error:
        return Check(name, False, str(error))
    figures: Figures = {
        "precision": part.spec.precision,
        "layers": len(layers),
        "layers_by_type": by_type(layers),
        "plan_bytes": engine.plan.plan_bytes,
    }
    counted = f"{len(layers)} layers"
    if part.spec.precision != "w8a8":
        return Check(name, None, f"{counted}; {part.spec.precision} asks for no INT8", figures)
    try:
        found = int8_share(layers, quantised_linears(part.path))
    except ImportError:
        problem = f"{counted}; install the onnx package to know which of them should be INT8"
        return Check(name, False, problem, figures)
    figures |= {
        "linear": found.wanted,
        "linear_int8": found.found,
        "not_int8": list(found.others[:SHOWN]),
    }
    detail = f"{found.found} of {found.wanted} linear layers read INT8 (at least {LEAST_INT8:.0%})"
    return Check(name, found.share >= LEAST_INT8, detail, figures)
