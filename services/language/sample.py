"""A random walk over the templates: a sentence and the call it means, exact by construction."""

from __future__ import annotations

import random

from services.language.calls import Call
from services.language.homeview import HomeView
from services.language.templates import Alt, Node, Seq, Slot, Template, Word, templates
from services.language.values import Bound, Filling, fits, fixed_values, meant, names, placings


def sample(
    rng: random.Random,
    home: HomeView,
    topics: frozenset[str] = frozenset(),
    among: tuple[Template, ...] | None = None,
) -> tuple[str, Call] | None:
    """One sentence somebody could say in this home, None when the drawn template fits nothing.

    Args:
        topics: rows of ``FREQUENCY`` to keep to; empty for all.
        among: templates to draw from; all there are by default.
    """
    by_topic: dict[str, list[Template]] = {}
    for template in templates() if among is None else among:
        if not topics or template.topic in topics:
            by_topic.setdefault(template.topic, []).append(template)
    # Topics are drawn by how often a home hears of them, then a template within.
    topic = rng.choices(list(by_topic), [FREQUENCY[t] for t in by_topic])[0]
    pool = by_topic[topic]
    return walk(rng, rng.choices(pool, [t.weight for t in pool])[0], home)


FREQUENCY = {
    "HassTurnOn": 6.0, "HassTurnOff": 6.0, "HassLightSet": 6.0, "HassGetState": 3.0,
    "HassStartTimer": 3.0, "HassCancelTimer": 0.6, "HassTimerStatus": 0.8,
    "HassGetCurrentTime": 0.5, "HassGetCurrentDate": 0.5, "HassNevermind": 0.3,
    "lights": 0.8, "covers": 2.0, "locks": 0.5, "climate": 1.6, "temperature": 0.7,
    "machines": 1.2, "scenes": 0.5, "vacuum": 0.5, "timers": 1.5, "alarms": 1.0, "volume": 0.6,
    "talk": 0.4, "sums": 0.4,
}  # fmt: skip
"""How often each function of the first sentences, or topic of the wider ones, is asked for; our
judgement of a home's day."""


def walk(rng: random.Random, template: Template, home: HomeView) -> tuple[str, Call] | None:
    """One walk over one template in one home."""
    bound = _bind(rng, template, home)
    if bound is None:
        return None
    words: list[str] = []
    arguments = dict(template.fixed)
    _fill(rng, template.tree, bound, words, arguments)
    return " ".join(words), meant(template.intent, arguments)


def _bind(rng: random.Random, template: Template, home: HomeView) -> Bound | None:
    if "name" in template.bound:
        able = [e for e in home.entities if fits(template, e)]
        if not able:
            return None
        entity = rng.choice(able)
        return {"name": (rng.choice(names(entity)), entity.name)}
    if not template.needs:
        return {}
    ways = placings(template, home)
    return rng.choice(ways) if ways else None


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
