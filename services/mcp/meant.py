"""The call of a listed tool that a line's words allow, though it names no server. Pure.

``forecast for Oslo for 3 days`` allows ``weather__get_forecast`` with ``place=Oslo days=3``: every
word of the tool's name stands there, but for such as "get", and all that is typed behind it has its
place among the tool's arguments. So nobody can make up a tool or a value, and nothing that was
typed is passed over. What is allowed is only ever asked about; see ``services.typed``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.language.calls import Call, Value
from services.language.folding import singular
from services.language.not_now import commands_nothing_now
from services.language.number_reading import number_of
from services.mcp.asked import kind_of
from services.mcp.tools import Tool

MAX_CHARS = 200
"""A longer line means no tool; who has more to say names tool and server."""
_FILLERS = frozenset({
    "get", "set", "list", "show", "fetch", "read", "find", "search", "query", "tell", "add",
    "create",
})  # fmt: skip
"""Words of tools' names that nobody says."""
_BEFORE = frozenset({
    "of", "for", "in", "about", "to", "on", "at", "from", "with", "that", "called",
})  # fmt: skip
"""Words that lead from the tool to what it is given."""
_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def may_be_meant(line: str, tool: str) -> bool:
    """Whether every word of a tool's own name stands in a line; its server need not be asked."""
    return len(line) <= MAX_CHARS and bool(_named(_words(line), tool))


def meant(line: str, tool: Tool) -> Call | None:
    """The call, its arguments by the tool's schema; None where words are missing or left over.

    A line that denies, joins or puts off allows only what the server calls reading.
    """
    if len(line) > MAX_CHARS or (commands_nothing_now(line, "en") and not tool.read_only):
        return None
    words = _words(line)
    named = _named(words, tool.name.partition("__")[2])
    properties, required = _schema(tool.schema)
    if not named or any(kind_of(part) in ("array", "object") for part in required.values()):
        return None
    given = _Given(words, words[max(named) + 1 :], properties, set(required))
    arguments = given.read()
    return None if arguments is None else Call.of(tool.name, **arguments)


def typed_values(call: Call, tool: Tool) -> dict[str, Any]:
    """A call's arguments in the kinds of the tool's schema."""
    properties, _ = _schema(tool.schema)
    return {
        key: float(value) if kind_of(properties.get(key)) == "number" else value
        for key, value in call.args.items()
    }


@dataclass
class _Given:
    """What stands behind a tool's name, put in its places one after the other."""

    words: Sequence[str]
    rest: Sequence[str]
    properties: Mapping[str, Any]
    required: set[str]
    found: dict[str, Value] = field(default_factory=dict)

    def read(self) -> dict[str, Value] | None:
        self._choices()
        left = self._numbers()
        if left is None or not self._text(_led_in(left)):
            return None
        return self.found if self.required <= self.found.keys() else None

    def _choices(self) -> None:
        """An argument with choices is one that stands anywhere in the line."""
        for key, part in self.properties.items():
            for choice in _choices(part):
                if _places(self.words, choice.lower().split()):
                    self.found[key] = choice

    def _numbers(self) -> list[str] | None:
        """The words without the numbers and their units; None where a number has no place."""
        kinds = {k: kind_of(p) for k, p in self.properties.items() if not _choices(p)}
        places = [key for key, kind in kinds.items() if kind in ("integer", "number")]
        left: list[str] = []
        words = iter(range(len(self.rest)))
        for n in words:
            value = None if self.rest[n].lower() == "a" else number_of(self.rest[n])
            if value is None:
                left.append(self.rest[n])
                continue
            unit = self.rest[n + 1].lower() if n + 1 < len(self.rest) else ""
            key = next((k for k in places if singular(unit) == singular(k.lower())), None)
            if key is not None:
                next(words, None)
            elif len(places) == 1:
                key = places[0]
            if key is None or key in self.found or (kinds[key] == "integer" and "." in value):
                return None
            self.found[key] = int(value) if value.lstrip("-").isdigit() else value
            if left and left[-1].lower() in _BEFORE:
                left.pop()
        return left

    def _text(self, words: Sequence[str]) -> bool:
        """Whether the words left over have a place: the one plain text the tool takes."""
        said = [w for c in self.found.values() if isinstance(c, str) for w in c.lower().split()]
        words = [w for w in words if w.lower() not in said]
        plain = [
            key for key, part in self.properties.items()
            if kind_of(part) == "string" and not _choices(part)
        ]  # fmt: skip
        keys = [key for key in plain if key in self.required] or plain
        if not words:
            return True
        if len(keys) != 1:
            return False
        self.found[keys[0]] = " ".join(words)
        return True


def _led_in(words: Sequence[str]) -> Sequence[str]:
    """Without the word that leads to them, and an article after it."""
    for lead in (_BEFORE, frozenset({"the", "a", "an", "my"})):
        if words and words[0].lower() in lead:
            words = words[1:]
    return words


def _words(line: str) -> list[str]:
    """As typed, without the marks around words and a "please"; capitals are kept."""
    words = [part.strip('.,:;!?"()') for part in line.split()]
    return [word for word in words if word and word.lower() != "please"]


def _named(words: Sequence[str], tool: str) -> frozenset[int]:
    """Places of the words of a tool's name; empty where one is missing."""
    parts = [part.lower() for part in _PART.findall(tool)]
    content = [part for part in parts if part not in _FILLERS] or parts
    return _places(words, content)


def _places(words: Sequence[str], wanted: Sequence[str]) -> frozenset[int]:
    """Where each of these words stands, plurals folded; empty where one is missing."""
    said = [singular(word.lower()) for word in words]
    if not wanted or not all(singular(word) in said for word in wanted):
        return frozenset()
    return frozenset(said.index(singular(word)) for word in wanted)


def _schema(schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """All arguments, and those that are needed."""
    properties = schema.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    wanted = schema.get("required")
    names = [k for k in wanted if isinstance(k, str)] if isinstance(wanted, list) else []
    return properties, {name: properties.get(name) for name in names}


def _choices(part: object) -> tuple[str, ...]:
    return tuple(_strings(part.get("enum"))) if isinstance(part, Mapping) else ()


def _strings(choices: object) -> Iterator[str]:
    for choice in choices[:50] if isinstance(choices, list) else ():
        if isinstance(choice, str) and choice:
            yield choice[:100]
