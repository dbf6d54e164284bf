"""A function call: the one form in which a wish travels from a model to the home."""

from __future__ import annotations

import json
from dataclasses import dataclass

Value = str | int


@dataclass(frozen=True)
class Call:
    """A function name and its arguments, hashable so that calls can be compared and counted."""

    name: str
    """Home Assistant intent name, such as ``HassTurnOn``."""
    arguments: tuple[tuple[str, Value], ...] = ()
    """Sorted (key, value) pairs; names and areas are lower-case spoken forms."""

    @classmethod
    def of(cls, name: str, /, **arguments: Value) -> Call:
        return cls(name, tuple(sorted(arguments.items())))

    @property
    def args(self) -> dict[str, Value]:
        return dict(self.arguments)

    def json(self) -> str:
        """Canonical text: what the model writes, and what two calls are compared by."""
        body = {"name": self.name, "arguments": self.args}
        return json.dumps(body, separators=(",", ":"), ensure_ascii=False)

    @property
    def line(self) -> str:
        """As a person reads it: ``HassTurnOn {"name": "bed light"}``."""
        return f"{self.name} {json.dumps(self.args)}"
