"""Measures the second opinion on recordings, for one or several settings.

    python -m services.evaluate.tuning_opinion ../shared/audio/cmd_home_multi --set beam=1e-60

Each folder holds ``manifest.jsonl`` (path, text, lang). A clip counts when this home's grammar
reads its text as a call; every other clip should call nothing. Prints one JSON object a setting.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from services.language.calls import Call
from services.language.grammar import Grammar, compile_grammar
from services.language.homeview import EntityView, HomeView
from services.voice.second_opinion import PocketsphinxOpinion, SphinxSettings

_FULL = frozenset({"brightness", "color"})
_MOVING = frozenset({"HassTurnOn", "HassTurnOff", "HassLightSet"})
_LIGHTS = {
    "bed light": "bedroom", "kitchen lights": "kitchen", "office lights": "office",
    "standing light": "living room", "desk lamp": "office", "ceiling light": "living room",
    "mirror light": "bathroom", "porch light": "garden",
}  # fmt: skip
_OTHERS = {
    "coffee machine": "switch", "fan": "switch", "front door": "lock", "garage door": "cover",
    "outdoor humidity": "sensor", "ecobee": "sensor", "office motion": "binary_sensor",
}  # fmt: skip


def home() -> HomeView:
    """Fifteen devices, the ones the recordings speak of among them."""
    lights = [EntityView(f"light.{n}", n, "light", a, (), _FULL) for n, a in _LIGHTS.items()]
    others = [EntityView(f"{domain}.{n}", n, domain) for n, domain in _OTHERS.items()]
    return HomeView((*lights, *others), tuple(dict.fromkeys(_LIGHTS.values())))


@dataclass(frozen=True)
class Clip:
    pcm: npt.NDArray[np.float32]
    call: Call | None


def clips(folder: Path, grammar: Grammar) -> Iterator[Clip]:
    """English clips of a folder with the calls they should give."""
    for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry.get("lang", "en") != "en":
            continue
        pcm, rate = soundfile.read(folder / entry["path"], dtype="float32")
        call = grammar.interpret(entry["text"]) if entry.get("text") else None
        yield Clip(np.asarray(soxr.resample(pcm, rate, 16_000), np.float32), call)


def measure(settings: SphinxSettings, heard: Sequence[Clip]) -> dict[str, Any]:
    """Exact calls, false calls and cost of one setting."""
    opinion = PocketsphinxOpinion(home(), settings)
    right = read_right = false = moved = 0
    start = time.process_time()
    for clip in heard:
        opinion.start()
        opinion.hear(clip.pcm)
        found = opinion.finish()
        if clip.call is None:
            false += found.call is not None
            moved += found.call is not None and found.call.name in _MOVING
        else:
            right += found.call == clip.call
            read_right += bool(found.readings) and found.readings[0].call == clip.call
    seconds = sum(len(clip.pcm) for clip in heard) / 16_000
    asked = sum(clip.call is not None for clip in heard)
    return {
        "commands": asked, "exact_read": read_right, "exact_and_trusted": right,
        "others": len(heard) - asked, "false_calls": false, "false_moves": moved,
        "rtf": round((time.process_time() - start) / max(seconds, 1e-9), 3),
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", dest="changes")
    chosen = parser.parse_args(arguments)
    values = dict(change.split("=", 1) for change in chosen.changes)
    kinds = {key: type(getattr(SphinxSettings(), key)) for key in values}
    settings = replace(
        SphinxSettings(),
        **{k: v == "True" if kinds[k] is bool else kinds[k](v) for k, v in values.items()},
    )
    grammar = compile_grammar(home())
    heard = [clip for folder in chosen.folders for clip in clips(folder, grammar)]
    print(json.dumps({**values, **measure(settings, heard)}))


if __name__ == "__main__":
    main()
