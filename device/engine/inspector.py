"""What TensorRT's engine inspector says, read: which layers really run in INT8.

Only this shows on a board that a graph with Q/DQ nodes did not end in float kernels. A layer says
which ONNX nodes went into it; a linear node counts when its layer reads an Int8 tensor.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from device.errors import EngineLoadError

MAX_BYTES = 256 * 2**20
_NODE = re.compile(r"\[ONNX Layer: ([^\]\x1e]{1,512})\]")
# In this order: "Int8" is looked for before "float", which descriptions of formats contain too.
_TYPES = (
    ("int8", ("int8",)),
    ("int4", ("int4",)),
    ("fp8", ("fp8",)),
    ("bf16", ("bf16",)),
    ("fp16", ("fp16", "half")),
    ("int64", ("int64",)),
    ("int32", ("int32",)),
    ("bool", ("bool",)),
    ("fp32", ("fp32", "float")),
)
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Layer:
    """One layer of a plan: its name, TensorRT's word for its kind, input types, ONNX nodes."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    nodes: frozenset[str]


@dataclass(frozen=True)
class Int8Share:
    """Of the linear nodes that were quantised, how many run in INT8, and which do not."""

    wanted: int
    found: int
    others: tuple[str, ...]

    @property
    def share(self) -> float:
        """Between 0 and 1; 1 where nothing was quantised."""
        return self.found / self.wanted if self.wanted else 1.0


def read_layers(text: str, where: str) -> tuple[Layer, ...]:
    """The layers of an inspector's JSON.

    Raises:
        EngineLoadError: it is none, or the plan was built without details.
    """
    try:
        layers = json.loads(text[:MAX_BYTES])["Layers"]
    except (ValueError, KeyError, TypeError) as error:
        raise EngineLoadError(
            where, "the inspector said nothing readable", "build again"
        ) from error
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        raise EngineLoadError(where, "the plan was built without details", "build it again")
    return tuple(_layer(layer) for layer in layers)


def _layer(layer: Mapping[str, object]) -> Layer:
    tensors = layer.get("Inputs")
    listed = tensors if isinstance(tensors, list) else []
    inputs = tuple(_type_of(tensor) for tensor in listed if isinstance(tensor, dict))
    metadata, name = str(layer.get("Metadata", "")), str(layer.get("Name", ""))
    return Layer(name, str(layer.get("LayerType", "")), inputs, frozenset(_NODE.findall(metadata)))


def _type_of(tensor: Mapping[str, object]) -> str:
    keys = ("Datatype", "Format/Datatype", "Format")
    said = next((str(tensor[key]).lower() for key in keys if key in tensor), "")
    return next((kind for kind, words in _TYPES if any(w in said for w in words)), UNKNOWN)


def int8_share(layers: Iterable[Layer], wanted: Collection[str]) -> Int8Share:
    """How many of the ONNX nodes ``wanted`` went into a layer that reads an Int8 tensor."""
    proved = {node for layer in layers if "int8" in layer.inputs for node in layer.nodes}
    others = tuple(sorted(node for node in wanted if node not in proved))
    return Int8Share(len(wanted), len(wanted) - len(others), others)


def by_type(layers: Iterable[Layer]) -> dict[str, int]:
    """Number of layers by the narrowest type that each reads."""
    order = [kind for kind, _ in _TYPES] + [UNKNOWN]
    return dict(Counter(min(layer.inputs or (UNKNOWN,), key=order.index) for layer in layers))
