"""The plan as a table for a person, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from services.plan.estimate import PRECISIONS, USUAL, Estimate, best, estimate
from services.plan.families import FAMILIES
from services.plan.modules import MODULES
from services.plan.stored import estimate_stored, read_manifest

NOMINAL = "Nominal: bounds from data sheets and parameter counts, not one of them measured."
_HEAD = (
    f"{'model':<16} {'module':<13} {'precision':<9} {'GB':>6} {'tok/s':>6} {'need':>6}  real time"
)


def page(module: str | None, family: str | None, bundle: Path | None, *, as_json: bool) -> str:
    """The plan for one module or all, and one family, a bundle, or all.

    One family on one module is shown at every precision, else each at the best one.

    Raises:
        BadManifest: see ``read_manifest``.
    """
    rows = list(_rows(module, family, bundle))
    if as_json:
        return json.dumps(_facts(rows), indent=1)
    notes = [f"{row.name}: {row.note}" for row in FAMILIES.values() if row.name == family]
    return "\n".join([_HEAD, *map(_line, rows), *notes, NOMINAL])


def _rows(module: str | None, family: str | None, bundle: Path | None) -> Iterable[Estimate]:
    modules = [MODULES[module]] if module else list(MODULES.values())
    if bundle is not None:
        manifest = read_manifest(bundle)
        return [estimate_stored(manifest, each) for each in modules]
    if family and module:
        return [estimate(FAMILIES[family], each, modules[0]) for each in PRECISIONS]
    families = [FAMILIES[family]] if family else list(FAMILIES.values())
    return [best(one, each) for one in families for each in modules]


def _facts(rows: Iterable[Estimate]) -> dict[str, object]:
    listed = [
        {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(row).items()}
        for row in rows
    ]
    return {
        "nominal": True,
        "usual_share": USUAL,
        "modules": {row.module: asdict(MODULES[row.module]) for row in rows},
        "models": {
            row.family: {"title": FAMILIES[row.family].title, "note": FAMILIES[row.family].note}
            for row in rows
            if row.family in FAMILIES
        },
        "rows": listed,
    }


def _line(row: Estimate) -> str:
    told = row.real_time if row.fits else "does not fit"
    return (
        f"{row.family:<16} {row.module:<13} {row.precision:<9} {row.memory_gb:6.1f} "
        f"{row.tokens_s:6.1f} {row.needed_s:6.2f}  {told}"
    )
