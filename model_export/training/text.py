"""What is said in training: commands in invented homes, small talk, and what no home can do."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.language.calls import Call
from services.language.held_out import about_home, held_out, held_out_talk
from services.language.homeview import EntityView, HomeView
from services.language.sample import sample
from services.language.spoken import spoken

ROOMS = (
    "kitchen|living room|bedroom|master bedroom|guest room|bathroom|office|hallway|garage|attic|"
    "basement|dining room|nursery|study|laundry room|porch|patio|garden|balcony|closet|pantry|"
    "workshop|playroom|library|den|lounge|sun room|utility room|entrance|back yard|kids room|"
    "downstairs|upstairs|cellar|conservatory|spare room|family room|game room|gym|studio"
).split("|")
LIGHTS = (
    "light|lights|lamp|ceiling light|desk lamp|floor lamp|reading light|bed light|night light|"
    "standing light|table lamp|spotlight|strip|led strip|chandelier|pendant|wall light|bulb|"
    "main light|side lamp|mirror light|counter light|corner lamp|string lights|fairy lights|spots|"
    "bedside lamp|uplight|downlights|lantern|vanity light|accent light"
).split("|")
SWITCHES = (
    "fan|heater|coffee maker|kettle|tv|television|radio|speaker|socket|plug|outlet|switch|pump|"
    "printer|monitor|computer|humidifier|air purifier|christmas tree|aquarium|toaster|fountain|"
    "amplifier|projector|router|dehumidifier|electric blanket|boiler|sprinkler|charger|extractor"
).split("|")
SENSORS = (
    "temperature|humidity|outdoor humidity|outdoor temperature|air quality|power meter|"
    "thermostat|ecobee|rain gauge|co two level|battery level|pressure|noise level|water meter"
).split("|")
LOCKS = "front door|back door|side door|garden gate|gate|shed|garage lock|cellar door".split("|")
COVERS = (
    "garage door|blinds|curtains|left curtain|shutter|roller blind|awning|bedroom window|gate"
).split("|")
OWNERS = "anna|ben|emma|jack|lily|max|oliver|sophie|tom|grandma|dad|mom|zoe|noah|lucy".split("|")
ADJECTIVES = "big|small|left|right|old|new|red|blue|back|front|upper|lower|far|near".split("|")
_ONSETS = "b|br|d|f|fl|g|gr|h|j|k|l|m|n|p|pl|r|s|sh|sk|st|t|tr|v|w|z".split("|")
_VOWELS = "a|e|i|o|u|oo|ee|ar|or".split("|")
_CODAS = "|n|m|l|r|s|t|k|x|nd|st|sh".split("|")

POLITE_TALK = (
    "hello|good morning|good night|thank you|thanks|how are you|what can you do|who are you|"
    "tell me a joke|what is the weather|play some music|stop|yes|no|okay|never mind that|"
    "what's your name|are you there|sing me a song|good evening|see you later|well done"
).split("|")


@dataclass(frozen=True)
class Line:
    """One sentence to be spoken in training."""

    text: str
    """Lower-case words."""
    call: Call | None
    """None: nothing this home can do."""


def invented_name(rng: random.Random) -> str:
    """A word nobody has: people name lamps after anything."""
    count = rng.choice((1, 2, 2))
    return "".join(
        rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(count)
    )


def _name(rng: random.Random, things: list[str], rooms: list[str]) -> str:
    thing = rng.choice(things)
    style = rng.random()
    if style < 0.35:
        return thing
    if style < 0.65:
        return f"{rng.choice(rooms)} {thing}"
    if style < 0.77:
        return f"{rng.choice(ADJECTIVES)} {thing}"
    if style < 0.87:
        return f"{rng.choice(OWNERS)}'s {thing}"
    return f"{invented_name(rng)} {thing}" if style < 0.95 else invented_name(rng)


def invented_home(rng: random.Random) -> HomeView:
    """A home of 4–7 rooms and 10–18 things, no two of a name."""
    rooms = rng.sample(ROOMS, rng.randint(4, 7))
    kinds = ["light"] * rng.randint(4, 8) + ["switch"] * rng.randint(2, 5)
    kinds += ["lock", "cover", "sensor", "sensor", "binary_sensor"]
    things = {"light": LIGHTS, "switch": SWITCHES, "sensor": SENSORS, "lock": LOCKS}
    entities: dict[str, EntityView] = {}
    for n, domain in enumerate(kinds):
        name = _name(rng, list(things.get(domain, COVERS)), rooms)
        features = frozenset({"brightness", "color"}) if domain == "light" else frozenset()
        area = rng.choice(rooms)
        entities.setdefault(name, EntityView(f"{domain}.{n}", name, domain, area, (), features))
    return HomeView(tuple(entities.values()), tuple(rooms))


def commands(rng: random.Random, per_home: int = 8) -> Iterator[Line]:
    """Commands for ever, a new home every few sentences; held-out calls never appear."""
    while True:
        home = invented_home(rng)
        for _ in range(per_home):
            drawn = sample(rng, home)
            if drawn is not None and not held_out(drawn[1]):
                yield Line(*drawn)


def other_talk(folder: Path | None) -> list[Line]:
    """Sentences that must call nothing, from ``folder`` (see the model card) when it is there."""
    lines = [Line(text, None) for text in POLITE_TALK]
    for path in sorted(folder.glob("*.jsonl")) if folder and folder.is_dir() else []:
        for row in path.read_text().splitlines():
            entry = json.loads(row)
            text = spoken(entry["text"])
            usable = 2 <= len(text.split()) <= 12 and not held_out_talk(text)
            if usable and not about_home(entry["intent"]):
                lines.append(Line(text, None))
    return lines


def lines(rng: random.Random, other_folder: Path | None, other_share: float) -> Iterator[Line]:
    """The training text: commands, and ``other_share`` of anything else."""
    other = other_talk(other_folder)
    for line in commands(rng):
        yield rng.choice(other) if rng.random() < other_share else line
