"""``linnet eval --set intents-en`` and ``intents-zh``: how often a sentence does what it says.

Each sampled sentence is recognised and resolved in the merged home; the effect on the home is
compared with the effect that follows from the sampler's choices. A sentence with two meanings
counts as right when its effect is that of one of them, and is counted apart. Two meanings are
only:

* the templates give the very same words to two functions, and they fit equally well;
* the same function with the same values, where the place can be read in two ways: a device called
  "kitchen lights", or the lights in the kitchen.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from services.evaluate import intents_negatives
from services.evaluate.figures import Rate
from services.evaluate.intents_home import Home, Language, merged_home
from services.evaluate.intents_sample import Sampler, Sentence, sentences
from services.evaluate.intents_truth import Effect, effect, wish
from services.home.resolver import DEVICE_CALLS, resolve
from services.language.calls import Call
from services.language.fast_path import FastPath, Heard

SETS: dict[str, Language] = {"intents-en": "en", "intents-zh": "zh-CN"}
"""Name of the set → language."""
COUNT = 2_000
MAX_MISSES = 50

Judgement = Literal["right", "two_meanings", "wrong"]
Table = dict[str, object]


@dataclass(frozen=True)
class Verdict:
    """What became of one sentence."""

    sentence: Sentence
    heard: Heard
    judgement: Judgement
    took_ms: float


def measure(name: str, limit: int | None, tell: Callable[[int, int, str], None]) -> Table:
    """Run a set of ``SETS``; the object that is printed.

    ``undrawn`` names the package's slot combinations for which this home has nothing to do, or
    which a limit left out.
    """
    home = merged_home(SETS[name])
    path = FastPath(home.language)
    path.warm_up(home.view)
    count = COUNT if limit is None else min(limit, COUNT)
    verdicts: list[Verdict] = []
    for verdict in _judged(home, path, count):
        verdicts.append(verdict)
        wrong = sum(v.judgement == "wrong" for v in verdicts)
        tell(len(verdicts), count, f"{wrong} wrong")
    undrawn = set(Sampler(home, random.Random(0)).combinations())
    undrawn -= {v.sentence.combination for v in verdicts}
    return {
        "set": name,
        "language": home.language,
        "home": _described(home),
        **_figures(verdicts),
        "undrawn": ["/".join(combination) for combination in sorted(undrawn)],
        "negatives": _refused(home, path, "developed", limit),
        "negatives_held_out": _refused(home, path, "held_out", limit),
    }


def _refused(home: Home, path: FastPath, part: intents_negatives.Part, limit: int | None) -> Table:
    chosen = intents_negatives.negatives(home.language, part)[:limit]
    return intents_negatives.table([intents_negatives.judge(n, home, path) for n in chosen])


def _judged(home: Home, path: FastPath, count: int) -> Iterator[Verdict]:
    for sentence in sentences(home, count):
        started = time.perf_counter()
        heard = path.understand(sentence.text, home.view)
        took_ms = (time.perf_counter() - started) * 1000
        yield Verdict(sentence, heard, judge(sentence, heard, home), took_ms)


def judge(sentence: Sentence, heard: Heard, home: Home) -> Judgement:
    """Whether a reading does what the sentence says."""
    true = effect(sentence.call, sentence.targets)
    if heard.call is None:
        return "wrong"
    if _effect(heard.call, home) == true:
        return "right"
    if any(_effect(call, home) == true for call in heard.calls[: heard.tied]):
        return "two_meanings"
    same = [c for c in heard.calls if c.name == heard.call.name and wish(c) == wish(heard.call)]
    does_something = _effect(heard.call, home) is not None
    if does_something and any(_effect(call, home) == true for call in same):
        return "two_meanings"
    return "wrong"


def _effect(call: Call, home: Home) -> Effect | None:
    """The effect of a call in this home, None when it is refused."""
    if call.name not in DEVICE_CALLS:
        return effect(call, ())
    resolution = resolve(call, home.entities, home.here)
    return None if resolution.refusal is not None else effect(call, resolution.targets)


def _figures(verdicts: Sequence[Verdict]) -> Table:
    judged = Counter(v.judgement for v in verdicts)
    n = len(verdicts)
    rate, strict = Rate(n - judged["wrong"], n), Rate(judged["right"], n)
    took = sorted(v.took_ms for v in verdicts) or [0.0]
    misses = [_miss(v) for v in verdicts if v.judgement == "wrong"]
    return {
        "effect_accuracy": rate.value,
        "n": n,
        "ci95": rate.ci95,
        "two_meanings": judged["two_meanings"],
        "one_meaning_accuracy": strict.value,
        "combinations": len({v.sentence.combination for v in verdicts}),
        "understand_ms": {
            "p50": round(took[len(took) // 2], 1),
            "p95": round(took[min(len(took) - 1, int(len(took) * 0.95))], 1),
        },
        "misses": misses[:MAX_MISSES],
    }


def _miss(verdict: Verdict) -> Table:
    call = verdict.heard.call
    return {
        "text": verdict.sentence.text,
        "combination": "/".join(verdict.sentence.combination),
        "meant": verdict.sentence.call.json(),
        "understood": call.json() if call else verdict.heard.miss,
    }


def _described(home: Home) -> Table:
    return {
        "entities": len(home.view.entities),
        "areas": len(home.view.areas),
        "floors": len(home.view.floors),
        "platforms": sorted({e.domain for e in home.view.entities}),
    }


def lines(table: Table) -> Iterator[str]:
    """The table for people."""
    home = table["home"]
    assert isinstance(home, dict)  # noqa: S101 - made above
    yield f"{table['set']}: {home['entities']} devices of {len(home['platforms'])} platforms"
    yield (
        f"  effect as said   {table['effect_accuracy']:.2%} of {table['n']} sentences "
        f"(95 %: {table['ci95'][0]:.2%} to {table['ci95'][1]:.2%}); "  # type: ignore[index]
        f"{table['two_meanings']} had two meanings"
    )
    for miss in table["misses"]:  # type: ignore[attr-defined]
        yield f"  missed: {miss['text']}: {miss['understood']}, meant {miss['meant']}"
    yield from _refusals("to be refused   ", table["negatives"])
    yield from _refusals("  held-out part ", table["negatives_held_out"])


def _refusals(what: str, negatives: object) -> Iterator[str]:
    assert isinstance(negatives, dict)  # noqa: S101 - made above
    if not negatives["n"]:
        return
    yield (
        f"  {what} {negatives['right']} of {negatives['n']} right, "
        f"{negatives['unsafe']} moved something"
    )
    for wrong in negatives["wrong"]:
        yield f"  wrongly refused: {wrong['text']}: {wrong['got']}, not {wrong['expected']}"
