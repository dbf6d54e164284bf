"""A random walk over the templates: a sentence and the call it means, exact by construction."""

from __future__ import annotations

import random

from services.language.calls import Call
from services.language.homeview import HomeView
from services.language.templates import Alt, Node, Seq, Slot, Template, Word, templates
from services.language.values import Filling, fits, fixed_values, lit_areas, names


def sample(rng: random.Random, home: HomeView, intents: frozenset[str] = frozenset()) -> tuple[
    str, Call
] | None:
    """One sentence somebody could say in this home, None when the drawn template fits nothing."""
    choices = [t for t in templates() if not intents or t.intent in intents]
    by_intent: dict[str, list[Template]] = {}
    for template in choices:
        by_intent.setdefault(template.intent, []).append(template)
    # Intents are drawn by how often a home hears them, then a template within.
    intent = rng.choices(list(by_intent), [FREQUENCY.get(i, 1.0) for i in by_intent])[0]
    pool = by_intent[intent]
    return walk(rng, rng.choices(pool, [t.weight for t in pool])[0], home)


FREQUENCY = {
    "HassTurnOn": 6.0, "HassTurnOff": 6.0, "HassLightSet": 6.0, "HassGetState": 3.0,
    "HassStartTimer": 3.0, "HassCancelTimer": 0.6, "HassTimerStatus": 0.8,
    "HassGetCurrentTime": 0.5, "HassGetCurrentDate": 0.5, "HassNevermind": 0.3,
}  # fmt: skip
"""How often each function is asked for, relative; our judgement of a home's day."""


def walk(rng: random.Random, template: Template, home: HomeView) -> tuple[str, Call] | None:
    """One walk over one template in one home."""
    bound = _bind(rng, template, home)
    if bound is None:
        return None
    words: list[str] = []
    arguments = dict(template.fixed)
    _fill(rng, template.tree, bound, words, arguments)
    return " ".join(words), Call.of(template.intent, **arguments)


def _bind(rng: random.Random, template: Template, home: HomeView) -> dict[str, Filling] | None:
    bound: dict[str, Filling] = {}
    if "name" in template.slots:
        able = [e for e in home.entities if fits(template, e)]
        if not able:
            return None
        entity = rng.choice(able)
        bound["name"] = (rng.choice(names(entity)), entity.name)
    if "area" in template.slots:
        areas = lit_areas(home)
        if not areas:
            return None
        area = rng.choice(areas)
        bound["area"] = (area, area)
    return bound


def _fill(
    rng: random.Random,
    node: Node,
    bound: dict[str, Filling],
    words: list[str],
    arguments: dict[str, str | int],
) -> None:
    if isinstance(node, Word):
        words.append(node.text)
    elif isinstance(node, Seq):
        for item in node.items:
            _fill(rng, item, bound, words, arguments)
    elif isinstance(node, Alt):
        _fill(rng, rng.choices(node.items, node.weights)[0], bound, words, arguments)
    elif isinstance(node, Slot):
        said, value = bound.get(node.source) or rng.choice(fixed_values(node.source))
        words.extend(said.split())
        if value is not None:
            arguments[node.name] = value
