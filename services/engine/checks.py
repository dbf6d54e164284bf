"""One finding of a self-test, and the report that several make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.engine.machine import Machine

Figures = dict[str, object]


@dataclass(frozen=True)
class Effort:
    """How long to measure: bytes to copy, well beyond any cache, and steps of decoding."""

    copied: int = 256 * 2**20
    steps: int = 200


@dataclass(frozen=True)
class Check:
    """``ok`` is None for what was only measured or could not be judged; ``detail`` says so."""

    name: str
    ok: bool | None
    detail: str
    figures: Figures = field(default_factory=dict)

    def line(self) -> str:
        """For a person."""
        mark = {True: "ok", False: "FAILED", None: "-"}[self.ok]
        return f"{mark:6} {self.name}: {self.detail}"


def report(
    machine: Machine, bundle: str, backend: str, checks: Sequence[Check]
) -> dict[str, object]:
    """All of it, for ``--json``; ``ok`` when nothing failed."""
    return {
        "ok": all(check.ok is not False for check in checks),
        "backend": backend,
        "bundle": bundle,
        "machine": machine.facts(),
        "missing": [],
        "checks": [vars(check) for check in checks],
    }
