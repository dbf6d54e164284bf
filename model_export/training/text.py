"""What is said in training: commands in invented homes, small talk, and what no home can do."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.language.calls import Call
from services.language.held_out import about_home, held_out, held_out_talk
from services.language.homeview import ABILITIES, EntityView, HomeView
from services.language.sample import sample
from services.language.spoken import spoken

WORDS: dict[str, list[str]] = json.loads(Path(__file__).with_name("words.json").read_text())
"""Rooms, things, owners and small talk that invented homes are made of."""


@dataclass(frozen=True)
class Line:
    """One sentence to be spoken in training."""

    text: str
    """Lower-case words."""
    call: Call | None
    """None: nothing this home can do."""


def invented_name(rng: random.Random) -> str:
    """A word nobody has: people name lamps after anything."""
    parts = [WORDS[part] for part in ("onsets", "vowels", "codas")] * rng.choice((1, 2, 2))
    return "".join(rng.choice(part) for part in parts)


def _name(rng: random.Random, things: list[str], rooms: list[str]) -> str:
    thing = rng.choice(things)
    style = rng.random()
    if style < 0.35:
        return thing
    if style < 0.65:
        return f"{rng.choice(rooms)} {thing}"
    if style < 0.77:
        return f"{rng.choice(WORDS['adjectives'])} {thing}"
    if style < 0.87:
        return f"{rng.choice(WORDS['owners'])}'s {thing}"
    return f"{invented_name(rng)} {thing}" if style < 0.95 else invented_name(rng)


_THINGS = {
    "light": "lights", "switch": "switches", "sensor": "sensors", "binary_sensor": "contacts",
    "lock": "locks", "cover": "covers", "valve": "valves", "fan": "fans", "climate": "climates",
    "water_heater": "water_heaters", "humidifier": "humidifiers", "scene": "scenes",
    "button": "buttons", "vacuum": "vacuums",
}  # fmt: skip
_ALWAYS = ("lock", "cover", "cover", "sensor", "sensor", "binary_sensor")
_OFTEN = (
    "lock", "cover", "cover", "fan", "fan", "climate", "climate", "scene", "scene", "vacuum",
    "button", "valve", "humidifier", "water_heater",
)  # fmt: skip
"""What half the homes have, each."""
_CLASSES = (
    "awning", "blind", "curtain", "door", "garage", "gate", "shade", "shutter", "window", None,
)  # fmt: skip


def invented_home(rng: random.Random) -> HomeView:
    """A home of 4–7 rooms on one to three floors and 13–33 things, no two of a name."""
    rooms = rng.sample(WORDS["rooms"], rng.randint(4, 7))
    floors = rng.sample(WORDS["floors"], rng.randint(0, 3))
    lies_on = {room: rng.choice(floors) if floors else None for room in rooms}
    kinds = ["light"] * rng.randint(4, 8) + ["switch"] * rng.randint(2, 5) + [*_ALWAYS]
    kinds += [kind for kind in _OFTEN if rng.random() < 0.5]
    entities: dict[str, EntityView] = {}
    for n, domain in enumerate(kinds):
        name = _name(rng, WORDS[_THINGS[domain]], rooms)
        area = rng.choice(rooms)
        thing = EntityView(
            f"{domain}.{n}", name, domain, area, (), ABILITIES.get(domain, frozenset()),
            _class(rng, domain), lies_on[area],
        )  # fmt: skip
        entities.setdefault(name, thing)
    on = tuple(dict.fromkeys(floor for floor in lies_on.values() if floor))
    return HomeView(tuple(entities.values()), tuple(rooms), on)


def _class(rng: random.Random, domain: str) -> str | None:
    if domain == "cover":
        return rng.choice(_CLASSES)
    return rng.choice(("temperature", "humidity", None)) if domain == "sensor" else None


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
    lines = [Line(text, None) for text in WORDS["polite_talk"]]
    for path in sorted(folder.glob("*.jsonl")) if folder and folder.is_dir() else []:
        for row in path.read_text().splitlines():
            entry = json.loads(row)
            text = spoken(entry["text"])
            usable = 2 <= len(text.split()) <= 12 and not held_out_talk(text)
            if usable and not about_home(entry["intent"]) and not _ours(entry["intent"]):
                lines.append(Line(text, None))
    return lines


def _ours(intent: str) -> bool:
    """Intents of public corpora that are no home's, and that we answer nevertheless."""
    return any(word in intent for word in ("volume", "math", "repeat", "calculator"))


def lines(rng: random.Random, other_folder: Path | None, other_share: float) -> Iterator[Line]:
    """The training text: commands, and ``other_share`` of anything else."""
    other = other_talk(other_folder)
    for line in commands(rng):
        yield rng.choice(other) if rng.random() < other_share else line
