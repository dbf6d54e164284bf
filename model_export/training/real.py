"""Labelled recordings of people (``train_real``), mixed into training where the folder exists."""

from __future__ import annotations

import json
from pathlib import Path

import soundfile

from model_export.training.corpus import Clip
from services.language.spoken import spoken

SHARES = {
    "read_arctic_f1": 0.25, "read_lj_f1": 0.15, "read_libri_other": 0.15,
    "wake_pico_en": 0.2, "wake_precise": 0.1, "words_dsp20": 0.15,
}  # fmt: skip
"""How often each set is drawn; the two single-voice sets together stay under half."""


def real_clips(folder: Path, longest_s: float = 9.0) -> dict[str, list[Clip]]:
    """English clips with a transcript by set; int16 at 16 kHz, kept in memory (about 0.5 GB)."""
    found: dict[str, list[Clip]] = {}
    for name in SHARES:
        index = folder / f"{name}.jsonl"
        if not index.is_file():
            continue
        rows = (_clip(folder, row, longest_s) for row in index.read_text().splitlines())
        found[name] = [clip for clip in rows if clip]
    return found


def _clip(folder: Path, row: str, longest_s: float) -> Clip | None:
    entry = json.loads(row)
    text = spoken(entry["text"] or "")
    if entry["lang"] != "en" or not text or entry["samples"] > longest_s * 16_000:
        return None
    pcm, _ = soundfile.read(
        folder / entry["shard"], start=entry["start"], frames=entry["samples"], dtype="int16"
    )
    return Clip(pcm, text, entry.get("speaker") or "person", None)
