"""A typed line that names a tool of another server: "use forecast of weather with day=2". Pure.

    use|run|call [the] [tool] TOOL of|from|on SERVER [with|:] [KEY=VALUE … | TEXT]

Only servers that the owner named are looked for, so that "use the lamp of the hall" stays a
sentence about the home. Values are read by the tool's schema and never evaluated; a plain TEXT is
for a tool that takes one text.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.mcp.tools import BadArguments

MAX_CHARS = 2000
"""A longer line names no tool."""
_PAIR = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]{0,63})=(.*)", re.DOTALL)
_SAME = str.maketrans({"-": " ", "_": " "})


@dataclass(frozen=True)
class Asked:
    """A tool by its server and by the words it was called by, and what it is given."""

    server: str
    tool: str
    given: str = ""


def asked(line: str, servers: Iterable[str]) -> Asked | None:
    """What a line asks of one of these servers; None where it names none of them."""
    text = line.strip()
    if len(text) > MAX_CHARS:
        return None
    for server in servers:
        found = _line_for(server).fullmatch(text)
        if found is not None:
            return Asked(server, found["tool"], found["given"].strip())
    return None


def _line_for(server: str) -> re.Pattern[str]:
    spoken = "[ _]".join(map(re.escape, server.split("_")))
    return re.compile(
        r"(?:please )?(?:use|run|call)\s+(?:the\s+)?(?:tool\s+)?(?P<tool>\S.{0,99}?)"
        rf"\s+(?:of|from|on)\s+{spoken}(?:\s*:|\s+with\b|(?=\s)|$)(?P<given>.*)",
        re.IGNORECASE | re.DOTALL,
    )


def named(words: str, tools: Sequence[str]) -> str | None:
    """The tool that words mean: exactly as written, or else the only one that reads the same."""
    if words in tools:
        return words
    alike = [tool for tool in tools if _read(tool) == _read(words)]
    return alike[0] if len(alike) == 1 else None


def _read(name: str) -> str:
    return " ".join(name.translate(_SAME).lower().split())


def arguments(given: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments for a tool with this JSON schema.

    Raises:
        BadArguments: some are missing, unknown, given twice or not of their kind; names them.
    """
    properties = schema.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    required = schema.get("required")
    wanted = [k for k in required if isinstance(k, str)] if isinstance(required, list) else []
    pairs = _pairs(given)
    if pairs is None:
        pairs = {_text_argument(properties, wanted): given}
    unknown = [key for key in pairs if key not in properties]
    if unknown and (properties or schema.get("additionalProperties") is False):
        raise BadArguments(f"it takes no argument {_listed(unknown)}")
    missing = [key for key in wanted if key not in pairs]
    if missing:
        raise BadArguments(f"it also needs {_listed(missing)}, each as name=value")
    return {key: _value(key, text, properties.get(key)) for key, text in pairs.items()}


def _pairs(given: str) -> dict[str, str] | None:
    """``key=value`` pairs, values quoted where they hold spaces; None where it is plain text."""
    if not given:
        return {}
    try:
        words = shlex.split(given)
    except ValueError:  # an apostrophe of plain text
        return None
    found = [_PAIR.fullmatch(word) for word in words]
    pairs = [(pair[1], pair[2]) for pair in found if pair is not None]
    if len(pairs) != len(words):
        return None
    if len(dict(pairs)) != len(pairs):
        raise BadArguments("an argument is given twice")
    return dict(pairs)


def _text_argument(properties: Mapping[str, Any], wanted: Sequence[str]) -> str:
    """The argument that plain text is for."""
    texts = [key for key, part in properties.items() if kind_of(part) == "string"]
    needed = [key for key in texts if key in wanted]
    for keys in (needed, texts):
        if len(keys) == 1 and set(wanted) <= set(keys):
            return keys[0]
    raise BadArguments("it takes no plain text: give its arguments as name=value")


def _value(key: str, text: str, part: object) -> Any:
    kind = kind_of(part)
    try:
        value = _READERS[kind](text) if kind in _READERS else text
    except (ValueError, KeyError):
        raise BadArguments(f"{_listed([key])} must be of the kind {kind}") from None
    if kind in ("array", "object"):
        raise BadArguments(f"{_listed([key])} cannot be typed: it is a list or an object")
    choices = part.get("enum") if isinstance(part, Mapping) else None
    if isinstance(choices, list) and value not in choices:
        raise BadArguments(f"{_listed([key])} is not one of its choices")
    return value


def kind_of(part: object) -> str:
    """The JSON type of an argument; of a nullable one its own."""
    kind = part.get("type") if isinstance(part, Mapping) else None
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), None)
    return kind if isinstance(kind, str) else "string"


def _decimal(text: str) -> float:
    value = float(text)
    if value - value != 0:  # infinite, or no number
        raise ValueError
    return value


_READERS: Mapping[str, Any] = {
    "integer": int,
    "number": _decimal,
    "boolean": lambda text: {"true": True, "yes": True, "false": False, "no": False}[text.lower()],
}


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(key[:64] for key in list(keys)[:8] if key.isprintable())
