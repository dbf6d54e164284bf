"""Sentence templates of one language, as ``hassil`` reads them, for the functions we have.

Most come from ``home-assistant-intents`` (Open Home Foundation, CC BY 4.0);
``sentences_<language>.json`` beside this file adds, in the same form, what people say and the
package has no sentence for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from hassil.intents import Intents
from home_assistant_intents import get_intents, get_languages

from services.language.functions import FUNCTIONS, READ, STARTED, VOLUMES

DOMAINS = READ | STARTED
"""Platforms a sentence may speak of; the package also knows persons, media players …"""


class NoSentences(ValueError):
    """There are no sentence templates for this language."""


def languages() -> tuple[str, ...]:
    """Every language there are sentences for."""
    return tuple(sorted(get_languages()))


@lru_cache(maxsize=4)
def blocks(language: str) -> dict[str, Any]:
    """The merged templates: ``lists``, ``expansion_rules``, ``intents`` → ``data`` blocks.

    Raises:
        NoSentences: the language is not among ``languages()``.
    """
    packaged: dict[str, Any] | None = get_intents(language) if language in languages() else None
    if packaged is None:
        raise NoSentences(f"no sentence templates for language {language[:20]!r}")
    own = _own(language)
    intents = {
        name: {"data": [*_covered(name, packaged), *own["intents"].get(name, {}).get("data", ())]}
        for name in FUNCTIONS
    }
    return {
        "language": language,
        "settings": packaged.get("settings", {}),
        "skip_words": [*packaged.get("skip_words", []), *own["skip_words"]],
        "lists": {**packaged["lists"], **own["lists"]},
        "expansion_rules": {**packaged["expansion_rules"], **own["expansion_rules"]},
        "intents": {name: body for name, body in intents.items() if body["data"]},
    }


@lru_cache(maxsize=4)
def intents(language: str) -> Intents:
    """The templates, parsed. Raises as ``blocks``."""
    return Intents.from_dict(blocks(language))


def numbers(language: str) -> Intents:
    """One template for each list of numbers: to read any text by them is to build their words.

    Raises as ``blocks``.
    """
    lists = {name: body for name, body in blocks(language)["lists"].items() if "range" in body}
    data = [{"sentences": [f"{{{name}}}" for name in lists]}]
    return Intents.from_dict(
        {"language": language, "lists": lists, "intents": {"Number": {"data": data}}}
    )


def packaged_blocks(language: str) -> dict[str, list[dict[str, Any]]]:
    """The blocks that come from the package alone, by intent. Raises as ``blocks``."""
    own = {id(b) for body in _own(language)["intents"].values() for b in body["data"]}
    return {
        name: [block for block in body["data"] if id(block) not in own]
        for name, body in blocks(language)["intents"].items()
    }


def _covered(intent: str, packaged: dict[str, Any]) -> list[dict[str, Any]]:
    data = packaged["intents"].get(intent, {}).get("data", [])
    return [block for block in data if _is_covered(intent, block)]


def _is_covered(intent: str, block: dict[str, Any]) -> bool:
    combination = block.get("metadata", {}).get("slot_combination", "")
    if combination.startswith("command_"):  # "… in five minutes": no function takes a command
        return False
    # Of the volume only the forms without a place: no other room's loudness is ours.
    if intent in VOLUMES and combination != "default":
        return False
    return not (named := block_domains(block)) or bool(named & DOMAINS)


def block_domains(block: Mapping[str, Any]) -> frozenset[str]:
    """Domains a block implies or asks of its ``{name}``; empty when it has no say."""
    asked = block.get("requires_context", {}).get("domain", block.get("slots", {}).get("domain"))
    if isinstance(asked, dict):
        asked = asked.get("value")
    return frozenset() if asked is None else frozenset([asked] if isinstance(asked, str) else asked)


@lru_cache(maxsize=8)
def _own(language: str) -> dict[str, Any]:
    place = files("services.language") / f"sentences_{language.lower().replace('-', '_')}.json"
    if not place.is_file():
        return {"skip_words": [], "lists": {}, "expansion_rules": {}, "intents": {}}
    own: dict[str, Any] = json.loads(place.read_text("utf-8"))
    return {"skip_words": [], **own}
