"""Homes that are spoken to in evaluation: the simulated one, two more, or the user's own file.

One home has too few names for a fair held-out share: a call is held out by its value, so a home of
sixteen things may have a single lamp whose "turn on" was never trained on.
"""

from __future__ import annotations

import json
from pathlib import Path

from services.commands.common import UsageError
from services.home.simulated_view import simulated_view
from services.language.homeview import EntityView, HomeView
from services.language.spoken import spoken

DOMAINS = ("light", "switch", "lock", "cover", "sensor", "binary_sensor")
FEATURES = ("brightness", "color")
MAX_ENTITIES = 200
MAX_BYTES = 1 << 20

# name, domain, area; every light can be dimmed, those marked * have colours.
_FLAT = """
reading lamp*      light          living room
ceiling spots      light          living room
wall light*        light          bedroom
anna's lamp        light          bedroom
counter light      light          kitchen
pendant*           light          dining room
mirror light       light          bathroom
studio lights*     light          studio
record player      switch         living room
kettle             switch         kitchen
electric blanket   switch         bedroom
heated towel rail  switch         bathroom
balcony door       lock           living room
roller blind       cover          studio
air quality        sensor         bedroom
power meter        sensor         kitchen
bathroom window    binary_sensor  bathroom
"""
_HOUSE = """
porch light        light          garden
path lights*       light          garden
stair light        light          hallway
nursery lamp*      light          nursery
chandelier         light          dining room
workbench light    light          workshop
cellar light       light          cellar
attic lights*      light          attic
bookshelf strip*   light          study
fish tank          switch         study
sprinkler          switch         garden
heater             switch         workshop
dehumidifier       switch         cellar
side door          lock           hallway
garden gate        lock           garden
workshop shutter   cover          workshop
attic temperature  sensor         attic
rain gauge         sensor         garden
cellar window      binary_sensor  cellar
"""


def evaluation_homes() -> tuple[HomeView, ...]:
    """The simulated home first: recordings of people are judged in it."""
    return (simulated_view(), _written(_FLAT), _written(_HOUSE))


def read_home(path: Path) -> HomeView:
    """A home from a JSON list of {name, domain, area?, features?}.

    Raises:
        UsageError: the file cannot be read or an entry does not fit; names it.
    """
    try:
        text = path.read_text("utf-8") if path.stat().st_size <= MAX_BYTES else None
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise UsageError(f"{path}: cannot be read ({why})") from error
    if text is None:
        raise UsageError(f"{path}: larger than {MAX_BYTES} bytes, no home")
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{path}: not JSON ({error})") from error
    if not isinstance(rows, list) or not 0 < len(rows) <= MAX_ENTITIES:
        raise UsageError(f"{path}: expected a list of 1 to {MAX_ENTITIES} entities")
    return _home([_entity(path, number, row) for number, row in enumerate(rows)])


def _entity(path: Path, number: int, row: object) -> EntityView:
    where = f"{path}: entity {number}"
    if not isinstance(row, dict) or not isinstance(row.get("name"), str):
        raise UsageError(f"{where}: expected an object with a name")
    name, domain, area = spoken(row["name"]), row.get("domain"), row.get("area")
    features = row.get("features", [])
    if not name:
        raise UsageError(f"{where}: its name cannot be spoken")
    if domain not in DOMAINS:
        raise UsageError(f"{where}: domain {domain!r} is none of {', '.join(DOMAINS)}")
    if area is not None and not isinstance(area, str):
        raise UsageError(f"{where}: area is not a text")
    if not isinstance(features, list) or not all(f in FEATURES for f in features):
        raise UsageError(f"{where}: features can only be {', '.join(FEATURES)}")
    return EntityView(
        f"{domain}.{number}", name, domain, spoken(area) if area else None, (), frozenset(features)
    )


def _written(table: str) -> HomeView:
    entities = []
    for number, line in enumerate(table.strip().splitlines()):
        name, domain, area = (cell.strip() for cell in line.split("  ") if cell.strip())
        features = {"brightness"} if domain == "light" else set()
        if name.endswith("*"):
            features.add("color")
        entities.append(
            EntityView(
                f"{domain}.{number}", name.rstrip("*"), domain, area, (), frozenset(features)
            )
        )
    return _home(entities)


def _home(entities: list[EntityView]) -> HomeView:
    areas = sorted({e.area for e in entities if e.area})
    return HomeView(tuple(entities), tuple(areas))
