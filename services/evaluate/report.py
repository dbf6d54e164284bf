"""The figures of a run as one JSON object, and as a table for people.

Keys that other programs rely on: ``call_accuracy.{clean,snr10,snr5}`` (0..1) with ``n`` and
``ci95`` beside, ``ood_false_calls``, ``reply_wer``, ``source_wer``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.evaluate.figures import Rate, WordErrors, word_error_ci95, word_error_rate
from services.evaluate.noise import CONDITIONS
from services.evaluate.sets import EvaluationSet, Kind
from services.evaluate.trial import Answer

Table = dict[str, Any]


@dataclass(frozen=True)
class Intelligibility:
    """Word errors of the replies, and of the source voice saying the same texts."""

    replies: Sequence[WordErrors] = ()
    source: Sequence[WordErrors] = ()
    voice: str | None = None
    """The source voice; None: it could not be compared."""


def understanding(answers: Sequence[Answer]) -> Table:
    """How often the right thing was called, and a wrong one."""
    other = _moved(answers, "other")
    return {
        "call_accuracy": call_accuracy(answers),
        "ood_false_calls": other.value,
        "ood": {
            "n": other.n,
            "ci95": other.ci95,
            "any_call": _called(answers, "other").value,
            **_people(answers),
        },
        "elsewhere": _rate(_moved(answers, "elsewhere")),
    }


def call_accuracy(answers: Sequence[Answer]) -> Table:
    """Exact calls among commands, in each condition."""
    rates = {c: Rate.of(a.exact for a in _of(answers, "command", c)) for c in CONDITIONS}
    table: Table = {condition: rate.value for condition, rate in rates.items()}
    table["n"] = max(rate.n for rate in rates.values())
    table["ci95"] = {condition: rate.ci95 for condition, rate in rates.items()}
    return table


def details(answers: Sequence[Answer]) -> Table:
    """Where the errors are: by voice and by function, clean."""
    commands = list(_of(answers, "command", "clean"))
    voices = sorted({a.utterance.voice for a in commands})
    names = sorted({a.utterance.call.name for a in commands if a.utterance.call})
    return {
        "by_voice": {
            voice: _rate(Rate.of(a.exact for a in commands if a.utterance.voice == voice))
            for voice in voices
        },
        "by_function": {
            name: _rate(
                Rate.of(
                    a.exact for a in commands if a.utterance.call and a.utterance.call.name == name
                )
            )
            for name in names
        },
        "commands_not_called": Rate.of(a.call is None for a in commands).value,
    }


def intelligibility(found: Intelligibility) -> Table:
    return {
        "reply_wer": word_error_rate(found.replies),
        "source_wer": word_error_rate(found.source),
        "replies": {
            "n": len(found.replies),
            "words": sum(r.words for r in found.replies),
            "source_voice": found.voice,
            "reply_ci95": word_error_ci95(found.replies),
            "source_ci95": word_error_ci95(found.source),
        },
    }


def described(chosen: EvaluationSet, family: str, noise: str) -> Table:
    """What was measured."""
    return {
        "set": chosen.name,
        "family": family,
        "noise": noise,
        "homes": len(chosen.homes),
        "skipped": dict(chosen.skipped),
    }


def lines(table: Table) -> Iterator[str]:
    """The table for people."""
    yield f"{table['set']}, family {table['family']}, {table['noise']} noise"
    yield from _accuracy_lines("exact call", table["call_accuracy"])
    for name in ("fused", "tokenizer_alone", "opinion_alone"):
        if name in table:
            yield from _accuracy_lines(name.replace("_", " "), table[name]["call_accuracy"])
    yield _line("out of domain, moves", table["ood_false_calls"], table["ood"])
    if table["elsewhere"]["n"]:
        yield _line("other homes, moves", table["elsewhere"]["rate"], table["elsewhere"])
    replies = table["replies"]
    if replies["n"]:
        yield f"{'reply word errors':22} {_percent(table['reply_wer'])}  n={replies['n']}"
        yield f"{'source word errors':22} {_percent(table['source_wer'])}"
    for why, count in table["skipped"].items():
        yield f"skipped: {why}: {count}"


def _accuracy_lines(title: str, accuracy: Table) -> Iterator[str]:
    for condition in CONDITIONS:
        beside = {"n": accuracy["n"], "ci95": accuracy["ci95"][condition]}
        yield _line(f"{title}, {condition}", accuracy[condition], beside)


def _line(title: str, value: float | None, beside: Table) -> str:
    low, high = beside["ci95"]
    interval = f"[{_percent(low)}, {_percent(high)}]"
    return f"{title:22} {_percent(value)}  95 % {interval}  n={beside['n']}"


def _percent(value: float | None) -> str:
    return "     –" if value is None else f"{100 * value:5.1f}%"


def _of(answers: Sequence[Answer], kind: Kind, condition: str = "clean") -> Iterator[Answer]:
    return (a for a in answers if a.utterance.kind == kind and a.condition == condition)


def _moved(answers: Sequence[Answer], kind: Kind) -> Rate:
    return Rate.of(a.moves for a in _of(answers, kind))


def _called(answers: Sequence[Answer], kind: Kind) -> Rate:
    return Rate.of(a.call is not None for a in _of(answers, kind))


def _people(answers: Sequence[Answer]) -> Table:
    """Real people among the talk, apart: their number is small, their speech is not synthetic."""
    people = [a for a in _of(answers, "other") if a.utterance.voice == "person"]
    return {"people": _rate(Rate.of(a.moves for a in people))} if people else {}


def _rate(rate: Rate) -> Table:
    return {"rate": rate.value, "n": rate.n, "ci95": rate.ci95}
