"""The synthetic corpus on disk: shards of int16 speech with an index, made by several processes.

``python -m model_export.training.corpus --out .training/corpus --shards 60`` makes 400 utterances
a shard; shards that exist are kept, so the command resumes where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from device.sound.synthesis import Pcm16, Voice, espeak_variants, speak
from model_export.training.text import Line, lines
from model_export.training.voices import training_voice

PER_SHARD = 400  # utterances
PER_VOICE = 8  # neighbours that share a voice: festival starts once for them


@dataclass(frozen=True)
class Clip:
    """One utterance of a corpus."""

    pcm: Pcm16
    text: str
    voice: str
    call: str | None
    """Canonical call text, None when nothing may be called."""


def make_shard(out: Path, number: int, other: Path | None, other_share: float = 0.15) -> None:
    """Speak one shard; its random state is its number, so any shard can be made again."""
    index_path = out / f"{number:04d}.json"
    if index_path.exists():
        return
    rng = random.Random(number)
    variants = espeak_variants()
    wanted = list(islice(lines(rng, other, other_share), PER_SHARD))
    clips: list[Clip] = []
    for start in range(0, PER_SHARD, PER_VOICE):
        clips += _spoken(training_voice(rng, variants), wanted[start : start + PER_VOICE])
    write_shard(out, f"{number:04d}", clips)


def _spoken(voice: Voice, group: list[Line]) -> list[Clip]:
    pcms = speak(voice, [line.text for line in group])
    return [
        Clip(pcm, line.text, voice.label, line.call.json() if line.call else None)
        for pcm, line in zip(pcms, group, strict=True)
    ]


def write_shard(out: Path, name: str, clips: list[Clip]) -> None:
    """Samples first, index last: a shard without an index does not exist."""
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / f"{name}.npy", np.concatenate([c.pcm for c in clips]))
    rows = [
        {"text": c.text, "voice": c.voice, "call": c.call, "samples": len(c.pcm)} for c in clips
    ]
    (out / f"{name}.json").write_text(json.dumps(rows))


def read_shard(out: Path, name: str) -> Iterator[Clip]:
    """The clips of one shard, samples mapped from disk."""
    pcm = np.load(out / f"{name}.npy", mmap_mode="r")
    start = 0
    for row in json.loads((out / f"{name}.json").read_text()):
        end = start + row["samples"]
        yield Clip(pcm[start:end], row["text"], row["voice"], row["call"])
        start = end


def shard_names(out: Path) -> list[str]:
    return sorted(path.stem for path in out.glob("*.json"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(".training/corpus"))
    parser.add_argument("--shards", type=int, default=60)
    parser.add_argument("--other", type=Path, default=Path("../shared/text"))
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    with Pool(args.processes) as pool:
        jobs = [(args.out, n, args.other) for n in range(args.shards)]
        pool.starmap(make_shard, jobs, chunksize=1)


if __name__ == "__main__":
    main()
