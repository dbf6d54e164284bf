"""Homes that are spoken to in evaluation: the simulated one, two more, or the user's own file.

One home has too few names for a fair held-out share: a call is held out by its value, so a home of
sixteen things may have a single lamp whose "turn on" was never trained on.
"""

from __future__ import annotations

import json
from pathlib import Path

from services.commands.common import UsageError
from services.home.simulated_view import simulated_view
from services.language.homeview import ABILITIES, EntityView, HomeView
from services.language.sentences import DOMAINS
from services.language.spoken import spoken

FEATURES = tuple(sorted(frozenset().union(*ABILITIES.values())))
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

# The same, and a device class where the thing has one.
_COTTAGE = """
hearth lamp*       light          parlour
window light       light          parlour
landing light      light          landing
bunk lamp*         light          bunk room
left drape         cover          parlour        curtain
right drape        cover          parlour        curtain
bunk blind         cover          bunk room      blind
barn door          cover          barn           garage
canopy             cover          terrace        awning
pond valve         valve          terrace        water
stove              climate        parlour
wall heater        climate        bunk room
cistern            water_heater   barn
loft fan           fan            landing
barn fan           fan            barn
damp catcher       humidifier     barn
story time         scene          bunk room
candle light       scene          parlour
goat bell          button         barn
crumbs             vacuum         parlour
stable door        lock           barn
terrace heat       sensor         terrace        temperature
"""
_TOWER = """
reading lamp*      light          den
stair light        light          gallery
desk strip*        light          den
roller             cover          den            shutter
sun sail           cover          roof           shade
skylight           cover          gallery        window
yard gate          cover          yard           gate
heat pump          climate        gallery
den radiator       climate        den
ceiling fan        fan            den
roof fan           fan            roof
mist maker         humidifier     gallery
late shift         scene          den
sunday brunch      scene          gallery
buzzer             button         yard
nibbles            vacuum         gallery
vault              lock           yard
roof weather       sensor         roof           temperature
rain pipe          valve          roof           water
"""
_FLOORS = {
    "parlour": "lower floor", "barn": "lower floor", "bunk room": "upper floor",
    "landing": "upper floor", "yard": "ground floor", "den": "first floor",
    "gallery": "first floor", "roof": "top floor",
}  # fmt: skip
"""Of the homes with everything; the others know no floors."""


def evaluation_homes() -> tuple[HomeView, ...]:
    """The simulated home first: recordings of people are judged in it."""
    return (simulated_view(), _written(_FLAT), _written(_HOUSE))


def wide_homes() -> tuple[HomeView, ...]:
    """Two with something of every kind that can be spoken to."""
    return (_written(_COTTAGE), _written(_TOWER))


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
        raise UsageError(f"{where}: domain {domain!r} is none of {', '.join(sorted(DOMAINS))}")
    if area is not None and not isinstance(area, str):
        raise UsageError(f"{where}: area is not a text")
    if not isinstance(features, list) or not all(f in FEATURES for f in features):
        raise UsageError(f"{where}: features can only be {', '.join(FEATURES)}")
    return EntityView(
        f"{domain}.{number}", name, domain, spoken(area) if area else None, (), frozenset(features)
    )


def _written(table: str) -> HomeView:
    """Rows of name, domain, area, and a device class where it has one."""
    entities = []
    for number, line in enumerate(table.strip().splitlines()):
        name, domain, area, *kind = (cell.strip() for cell in line.split("  ") if cell.strip())
        features = ABILITIES.get(domain, frozenset())
        if domain == "light" and not name.endswith("*"):
            features -= {"color"}
        name = name.rstrip("*")
        where = f"{domain}.{number}", name, domain, area, (), features
        entities.append(EntityView(*where, kind[0] if kind else None, _FLOORS.get(area)))
    return _home(entities)


def _home(entities: list[EntityView]) -> HomeView:
    areas = sorted({e.area for e in entities if e.area})
    floors = sorted({e.floor for e in entities if e.floor})
    return HomeView(tuple(entities), tuple(areas), tuple(floors))
