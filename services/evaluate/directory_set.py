"""``--set DIRECTORY``: recordings of people, described by ``manifest.jsonl``.

A line is an object: ``path`` (relative to the directory), ``text`` (what is said; null or absent:
unknown), ``label`` (``out_of_domain`` where nothing may be called), ``lang`` (``en`` if absent).
What must be called is what the home's grammar reads in the text. Recordings in other languages
are skipped and counted.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from services.evaluate.errors import SetError
from services.evaluate.sets import EvaluationSet, Kind, Utterance
from services.language.calls import Call
from services.language.grammar import compile_grammar
from services.language.homeview import HomeView
from services.language.spoken import spoken

MANIFEST = "manifest.jsonl"
MAX_LINES = 100_000
LANGUAGE = "en"


@dataclass(frozen=True)
class Row:
    """A line of the manifest that could be used."""

    path: str
    text: str | None
    """As written; None: unknown."""
    label: str | None
    language: str


def read_directory(directory: Path, home: HomeView, limit: int | None = None) -> EvaluationSet:
    """The recordings of a directory, judged in ``home``; only the first ``limit`` usable ones.

    Raises:
        SetError: no manifest, a line that is no such object, or a recording that is not there.
    """
    utterances: list[Utterance] = []
    skipped: Counter[str] = Counter()
    for number, row in _rows(directory / MANIFEST):
        if not row.language.lower().startswith(LANGUAGE):
            skipped[f"language {row.language}"] += 1
            continue
        path = directory / row.path
        if not path.is_file():
            raise SetError(f"{directory / MANIFEST}:{number}", f"{row.path} is not there")
        kind, call = _judge(row, home)
        utterances.append(Utterance(number, path, kind, 0, spoken(row.text or ""), call))
    return EvaluationSet(str(directory), (home,), utterances[:limit], dict(skipped))


def parse_row(line: str) -> Row:
    """One line of a manifest.

    Raises:
        ValueError: says what is wrong with it.
    """
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON ({getattr(error, 'msg', 'nested too deep')})") from error
    if not isinstance(entry, dict):
        raise ValueError("is not a JSON object")
    path = entry.get("path")
    if not isinstance(path, str) or not path or "\x00" in path:
        raise ValueError("has no path")
    for key in ("text", "label", "lang"):
        if not isinstance(entry.get(key), str | None):
            raise ValueError(f"its {key} is not a text")
    return Row(path, entry.get("text"), entry.get("label"), entry.get("lang") or LANGUAGE)


def _rows(manifest: Path) -> list[tuple[int, Row]]:
    try:
        lines = manifest.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise SetError(
            str(manifest), f"cannot be read ({why})", "give a directory that holds one"
        ) from error
    if len(lines) > MAX_LINES:
        raise SetError(str(manifest), f"has more than {MAX_LINES} lines", "split the set")
    rows = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                rows.append((number, parse_row(line)))
            except ValueError as error:
                raise SetError(f"{manifest}:{number}", str(error)) from error
    return rows


def _judge(row: Row, home: HomeView) -> tuple[Kind, Call | None]:
    text = spoken(row.text or "")
    if not text or row.label == "out_of_domain":
        return "other", None
    call = compile_grammar(home).interpret(text)
    return ("elsewhere", None) if call is None else ("command", call)
