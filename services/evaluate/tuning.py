"""Weights for the judges of ``linnet_mini``, from recorded scores: collect once, fit in seconds.

``python -m services.evaluate.tuning collect --set DIRECTORY --out scores.jsonl`` plays a set and
writes every candidate's scores; ``… fit scores.jsonl …`` looks for the weights with the most exact
calls among those that let little other speech through, and prints them as ``rescoring_*`` keys.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from device.sound.files import read_audio
from services.evaluate.directory_set import read_directory
from services.evaluate.held_out_set import held_out_set
from services.evaluate.homes import evaluation_homes
from services.evaluate.noise import CONDITIONS, Noises
from services.evaluate.run import LONGEST_S
from services.evaluate.sets import MOVING
from services.evaluate.speech_cache import SpeechCache
from services.evaluate.trial import hear
from services.language.calls import Call
from services.models import load_model
from services.settings import Settings
from services.voice.families.linnet_mini import LinnetMini
from services.voice.rescoring import Scored, Weights, decide

SEED = 77_000  # another draw than the one that is reported
MAX_FALSE = 0.02  # of other speech that may move a device: below the bar of 3 %
GRID = {
    "behind": (0.0, 0.25, 0.5, 0.75, 1.0, 1.5),
    "lm": (0.0, 0.15, 0.3, 0.5, 0.8),
    "prior": (0.0, 0.3, 0.6, 1.0),
    "opinion": (0.0, 10.0, 20.0, 40.0, 80.0, 120.0, 200.0, 300.0),
    "unheard": (-0.05, -0.1, -0.2, -0.3, -0.5, -1.0),
    "reject": (-0.4, -0.6, -0.8, -1.0, -1.3, -1.7, -2.2),
    "accept": (-1.0, -0.8, -0.6, -0.4, -0.2, 0.0),
}


@dataclass(frozen=True)
class Row:
    """One utterance: what was meant and what the judges thought of each candidate."""

    meant: Call | None
    candidates: tuple[Scored, ...]


@dataclass(frozen=True)
class Quality:
    """exact: share of commands called exactly; false: share of other speech that moves a device."""

    exact: float
    false: float

    @property
    def worth(self) -> float:
        return self.exact - 5.0 * max(0.0, self.false - MAX_FALSE)


def quality(rows: Sequence[Row], weights: Weights) -> Quality:
    """How a set of weights does on recorded scores."""
    commands = [r for r in rows if r.meant is not None]
    others = [r for r in rows if r.meant is None]
    exact = sum(_called(r, weights) == r.meant for r in commands)
    calls = [_called(r, weights) for r in others]
    false = sum(c is not None and c.name in MOVING for c in calls)
    return Quality(exact / max(len(commands), 1), false / max(len(others), 1))


def _called(row: Row, weights: Weights) -> Call | None:
    chosen = decide(row.candidates, weights)
    return chosen.call if chosen else None


def fit(groups: Sequence[Sequence[Row]], start: Weights | None = None) -> Weights:
    """Coordinate search over ``GRID``; each group (people, clean, noisy) counts the same."""
    best = start or Weights()
    for _, (name, values) in itertools.product(range(3), GRID.items()):
        tried = [replace(best, **{name: value}) for value in values]
        best = max([best, *tried], key=lambda w: sum(quality(g, w).worth for g in groups))
    return best


def read_rows(path: Path) -> list[Row]:
    """Rows that ``collect`` wrote."""
    return [_row(json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def _row(body: dict[str, object]) -> Row:
    candidates = body["candidates"]
    if not isinstance(candidates, list):
        raise ValueError("candidates must be a list")
    scored = (Scored(**{**c, "call": _call(c["call"])}) for c in candidates)
    return Row(_call(body["meant"]) if body["meant"] else None, tuple(scored))


def _call(text: object) -> Call:
    body = json.loads(str(text))
    return Call.of(body["name"], **body["arguments"])


def collect(args: argparse.Namespace) -> Iterator[str]:
    """One JSON line an utterance and condition."""
    model = load_model(Settings.load(args.config))
    if not isinstance(model, LinnetMini):
        raise TypeError("only linnet_mini has judges to weigh")
    homes, noises = evaluation_homes(), Noises.load(args.shared / "audio/noise")
    chosen = (
        held_out_set(homes, args.shared, args.limit, SpeechCache.default(), lambda *_: None, SEED)
        if args.set == "held-out"
        else read_directory(Path(args.set), homes[0], args.limit)
    )
    for said in chosen.utterances:
        if said.kind == "elsewhere":
            continue
        speech = read_audio(said.path, LONGEST_S)
        session = model.session(chosen.homes[said.home])
        hear(session, noises.heard(speech, CONDITIONS[args.condition], said.number))
        rows = [{**asdict(c), "call": c.call.json()} for c in session.judged()]
        yield json.dumps({"meant": said.call.json() if said.call else None, "candidates": rows})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    gather = verbs.add_parser("collect")
    gather.add_argument("--set", required=True)
    gather.add_argument("--out", type=Path, required=True)
    gather.add_argument("--condition", choices=sorted(CONDITIONS), default="clean")
    gather.add_argument("--limit", type=int)
    gather.add_argument("--shared", type=Path, default=Path("../shared"))
    gather.add_argument("--config", type=Path)
    fitting = verbs.add_parser("fit")
    fitting.add_argument("scores", type=Path, nargs="+")
    args = parser.parse_args()
    if args.verb == "collect":
        with args.out.open("w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in collect(args))
        return
    groups = [read_rows(path) for path in args.scores]
    weights = fit(groups)
    for path, group in zip(args.scores, groups, strict=True):
        print(path.name, quality(group, weights))
    print(json.dumps({f"rescoring_{k}": v for k, v in asdict(weights).items()}))


if __name__ == "__main__":
    main()
