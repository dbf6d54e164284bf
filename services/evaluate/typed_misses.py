"""``linnet eval --set typed-misses``: what becomes of typed lines that no template fits.

Each line of ``data/typed_misses_en.jsonl`` is read in the merged home and compared by its effect
with what it means; a third of them means nothing at all. The sentences of the set ``intents-en``
that must be refused are read, too. Everything is told for a row of scores to believe from, so that
one can be chosen for a bundle. A guess is asked about before it is done: what counts here is
what a yes would do.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

from services.evaluate import intents_negatives
from services.evaluate.errors import SetError
from services.evaluate.intents_home import Home, merged_home
from services.evaluate.intents_truth import Effect, effect
from services.home.resolver import DEVICE_CALLS, resolve
from services.language.calls import Call
from services.language.fast_path import FastPath
from services.language.functions import FUNCTIONS, CallError, read_call
from services.language.homeview import HomeView
from services.language.line_guess import Guess
from services.language.proposals import proposals
from services.typed import GUESSED, guessed

SET = "typed-misses"
NEGATIVE = "intents-en"
FILE = "typed_misses_en.jsonl"
MAX_LINE = 1_000
THRESHOLDS = (-0.5, -0.4, -0.3, -0.25, -0.2, -0.15, -0.1, -0.07, -0.05, -0.03, -0.02, -0.01)
MAX_WRONG = 40

Became = Literal["right", "asked", "refused", "wrong", "unsafe"]
"""asked: a question, which moves nothing; unsafe: a device would be moved by a line that calls
nothing."""
Table = dict[str, object]
Rank = Callable[[str, HomeView], Guess]
"""``LineGuess.ranked``."""


@dataclass(frozen=True)
class Miss:
    """One line, and the call it means in the merged home."""

    text: str
    by: str
    """hand: written by a person; slip: a sentence of the sampler, mistyped."""
    call: Call | None


@dataclass(frozen=True)
class Ranked:
    """One line and what the model makes of it, however unsure."""

    miss: Miss
    guess: Guess
    why: str
    """The miss of the templates."""
    took_ms: float


def misses(name: str = FILE) -> tuple[Miss, ...]:
    """All lines.

    Raises:
        SetError: one is malformed; names it.
    """
    rows = (files("services.evaluate") / "data" / name).read_text("utf-8").splitlines()
    return tuple(_miss(f"{name}:{n}", row) for n, row in enumerate(rows, 1) if row)


def _miss(where: str, line: str) -> Miss:
    try:
        row = json.loads(line[:MAX_LINE])
        meant = row["call"]
        call = None if meant is None else read_call(meant["name"], meant["arguments"])
        return Miss(str(row["text"]), str(row["by"]), call)
    except (ValueError, TypeError, KeyError, CallError) as error:
        raise SetError(where, f"is no line of the set ({type(error).__name__})") from error


def measure(rank: Rank, limit: int | None, tell: Callable[[int, int, str], None]) -> Table:
    """Read all lines once; the object that is printed."""
    home, path = merged_home("en"), FastPath("en")
    negatives = [Miss(n.text, NEGATIVE, None) for n in intents_negatives.negatives("en")[:limit]]
    every = (*misses()[:limit], *negatives)
    ranked: list[Ranked] = []
    for n, miss in enumerate(every, 1):
        why = path.understand(miss.text, home.view).miss
        if why in GUESSED:
            started = time.perf_counter()
            guess = rank(miss.text, home.view)
            ranked.append(Ranked(miss, guess, why, (time.perf_counter() - started) * 1000))
        tell(n, len(every), "")
    lines = [r.miss for r in ranked if r.miss.by != NEGATIVE]
    return {
        "set": SET,
        "commands": sum(m.call is not None for m in lines),
        "no_calls": sum(m.call is None for m in lines),
        "intents_en_negatives": len(ranked) - len(lines),
        "proposable": sum(_proposable(m, home) for m in lines),
        "guess_ms": _times(ranked),
        "sweep": [_at(threshold, ranked, home) for threshold in THRESHOLDS],
        "wrong": list(_wrong(ranked, home)),
    }


def became(ranked: Ranked, threshold: float, home: Home) -> Became:
    """What one line comes to where scores from ``threshold`` on are believed."""
    if ranked.guess.score < threshold:
        return "refused"
    read = guessed(ranked.guess, ranked.why, home.view, home.entities)
    if read is None:
        return "refused"
    if read.question is not None:
        return "asked"
    done = _effect(read.call, home)
    if done is None:
        return "refused"
    meant = ranked.miss.call
    if meant is None:
        return "unsafe" if FUNCTIONS[read.call.name].effect == "moves" else "wrong"
    return "right" if done == _effect(meant, home) else "wrong"


def _effect(call: Call, home: Home) -> Effect | None:
    if call.name not in DEVICE_CALLS:
        return effect(call, ())
    resolution = resolve(call, home.entities, home.here)
    return None if resolution.refusal is not None else effect(call, resolution.targets)


def _proposable(miss: Miss, home: Home) -> bool:
    """Whether what a line means is among its proposals: the most any model could reach."""
    if miss.call is None:
        return False
    meant = _effect(miss.call, home)
    return any(_effect(call, home) == meant for call in proposals(miss.text, home.view))


def _at(threshold: float, ranked: Sequence[Ranked], home: Home) -> Table:
    commands = Counter(became(r, threshold, home) for r in ranked if r.miss.call is not None)
    none = Counter(
        became(r, threshold, home) for r in ranked if r.miss.call is None and r.miss.by != NEGATIVE
    )
    negatives = Counter(became(r, threshold, home) for r in ranked if r.miss.by == NEGATIVE)
    return {
        "accept": threshold,
        "right": commands["right"],
        "asked": commands["asked"],
        "refused": commands["refused"],
        "wrong": commands["wrong"],
        "no_call_called": none["wrong"] + none["unsafe"],
        "unsafe": none["unsafe"],
        "negatives_called": negatives["wrong"] + negatives["unsafe"],
        "negatives_unsafe": negatives["unsafe"],
    }


def _wrong(ranked: Sequence[Ranked], home: Home) -> Iterator[Table]:
    """The lines that go wrong, the surest first."""
    lines = [r for r in ranked if became(r, THRESHOLDS[0], home) in ("wrong", "unsafe")]
    for r in sorted(lines, key=lambda r: -r.guess.score)[:MAX_WRONG]:
        meant = r.miss.call.json() if r.miss.call else None
        called = r.guess.readings[0].json()
        yield {
            "text": r.miss.text, "meant": meant, "called": called,
            "score": round(r.guess.score, 3),
        }  # fmt: skip


def _times(ranked: Sequence[Ranked]) -> Table:
    took = sorted(r.took_ms for r in ranked) or [0.0]
    last = len(took) - 1
    return {
        "p50": round(took[last // 2], 1),
        "p95": round(took[int(last * 0.95)], 1),
        "most": round(took[-1], 1),
    }


def lines(table: Table) -> Iterator[str]:
    """The table for people."""
    yield (
        f"{table['set']}: {table['commands']} commands, {table['no_calls']} lines that call "
        f"nothing, {table['intents_en_negatives']} refusals of intents-en"
    )
    yield f"  at most {table['proposable']} can be right; milliseconds a line {table['guess_ms']}"
    yield "  accept   right  asked refused  wrong | called unsafe | refusals called unsafe"
    for row in table["sweep"]:  # type: ignore[attr-defined]
        yield (
            f"  {row['accept']:6.2f} {row['right']:7} {row['asked']:6} {row['refused']:7} "
            f"{row['wrong']:6} | {row['no_call_called']:6} {row['unsafe']:6} | "
            f"{row['negatives_called']:15} {row['negatives_unsafe']:6}"
        )
    for wrong in table["wrong"]:  # type: ignore[attr-defined]
        yield f"  {wrong['score']}: {wrong['text']}: {wrong['called']}, meant {wrong['meant']}"
