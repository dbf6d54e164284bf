"""Reading the settings file, with errors that name file, line, key and the nearest known key."""

from __future__ import annotations

import difflib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from services.settings import Settings
from services.toml_lines import key_lines, line_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_BYTES = 256 * 1024

Key = tuple[str, ...]


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a settings file."""

    file: str
    line: int | None
    key: str
    """Dotted, empty when the file as a whole is at fault."""
    value: str | None
    """As written; None when it is unknown what it is, for it may be a secret."""
    why: str

    def __str__(self) -> str:
        where = self.file + (f":{self.line}" if self.line else "")
        what = self.key + (f" = {self.value}" if self.value is not None else "")
        return ": ".join(part for part in (where, what, self.why) if part)


class SettingsError(Exception):
    """A settings file that cannot be used; ``problems`` holds every reason found."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Entry:
    """One setting as it stands."""

    key: str
    value: Any
    line: int | None
    """Line of the file that sets it; None: the default."""
    doc: str


def read(path: Path) -> Settings:
    """Load and check one file; raises SettingsError."""
    return parse(_text(path), str(path))


def parse(text: str, file: str) -> Settings:
    """Check a settings text; ``file`` is what errors call it. Raises SettingsError."""
    data = _toml(text, file)
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        lines = key_lines(text)
        problems = [_problem(fault, lines, file) for fault in error.errors()]
        raise SettingsError(sorted(problems, key=lambda p: p.line or 0)) from None


def entries(settings: Settings, text: str = "") -> Iterator[Entry]:
    """Every setting with its value, its doc and the line of ``text`` that sets it."""
    lines = key_lines(text)
    for name in Settings.model_fields:
        table: BaseModel = getattr(settings, name)
        for key, field in type(table).model_fields.items():
            value = getattr(table, key)
            # A key of an inline table stands on the table's line.
            here = lines.get((name,)) if key in table.model_fields_set else None
            yield Entry(
                f"{name}.{key}", value, lines.get((name, key), here), field.description or ""
            )


def render(settings: Settings) -> str:
    """A settings file that says what every key means; unset keys are shown commented out."""
    blocks: list[str] = []
    table = ""
    for entry in entries(settings):
        head, key = entry.key.split(".")
        if head != table:
            table = head
            blocks.append(f"# {type(getattr(settings, head)).__doc__}\n[{head}]")
        doc = [f"# {line}" for line in entry.doc.splitlines()]
        blocks.append("\n".join([*doc, _line(key, entry)]))
    return "\n\n".join(blocks) + "\n"


def _line(key: str, entry: Entry) -> str:
    if entry.value is None:
        return f'# {key} = ""'
    return f"{key} = {_literal(entry.value)}"


def _literal(value: Any) -> str:
    """A value as TOML, whose scalars are JSON's but for one control character JSON lets pass."""
    if isinstance(value, BaseModel):
        return _literal({k: v for k, v in value if v is not None})
    if isinstance(value, dict):
        pairs = ", ".join(f"{_literal(k)} = {_literal(v)}" for k, v in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_literal, value))}]"
    plain = str(value) if isinstance(value, Path) else value
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _whole(path, f"cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise _whole(path, f"is larger than {MAX_BYTES // 1024} KiB; is it a settings file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _whole(path, "is not UTF-8 text", line) from error


def _whole(path: Path, why: str, line: int | None = None) -> SettingsError:
    return SettingsError([Problem(str(path), line, "", None, why)])


def _toml(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # Its message ends in "(at line 3, column 5)" or "(at end of document)".
        found = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        why = re.sub(r" \(at [^()]*\)$", "", str(error))
        raise SettingsError([Problem(file, line, "", None, f"not TOML: {why}")]) from None


def _problem(fault: Any, lines: dict[Key, int], file: str) -> Problem:
    path: Key = tuple(str(piece) for piece in fault["loc"] if piece != "[key]")
    key = ".".join(path)
    line = line_of(lines, path)
    if fault["type"] == "extra_forbidden":
        return Problem(file, line, key, None, f"unknown key{_nearest(path)}")
    message = str(fault["msg"]).removeprefix("Value error, ")
    value = fault["input"]
    if isinstance(value, (dict, list)) and len(str(value)) > 40:
        return Problem(file, line, key, None, message)
    shown = json.dumps(value, default=str, ensure_ascii=False)
    return Problem(file, line, key, shown[:80], message)


def _nearest(path: Key) -> str:
    """What was probably meant: a key of the same table, one of another, or the choice there is."""
    tables: dict[str, list[str]] = {}
    for table, key in (entry.key.split(".", 1) for entry in entries(Settings())):
        tables.setdefault(table, []).append(key)
    elsewhere = [f"{t}.{k}" for t, keys in tables.items() for k in keys if k == path[-1]]
    if len(path) == 1:
        match = difflib.get_close_matches(path[0], tables, 1) or elsewhere
        choice = f"tables are {', '.join(tables)}"
    else:
        table = path[0]
        near = difflib.get_close_matches(path[-1], tables[table], 1)
        match = [f"{table}.{key}" for key in near] or elsewhere
        choice = f"keys of [{table}] are {', '.join(tables[table])}"
    return f"; did you mean {match[0]}?" if match else f"; {choice}"
