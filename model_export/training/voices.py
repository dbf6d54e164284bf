"""The voices that speak in training; those held out live in ``device.sound.synthesis``."""

from __future__ import annotations

import random

from device.sound.synthesis import HELD_OUT_ESPEAK, Voice

_ACCENTS = (
    "en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-us-nyc", "en-029",
)  # fmt: skip
# engine:voice → share of training sentences. Engines made from people get more than half.
TRAINING_SHARES = {
    "flite:slt": 0.13, "flite:awb": 0.14, "flite:kal16": 0.09,
    "festival:kal_diphone": 0.10, "festival:ked_diphone": 0.14, "espeak": 0.40,
}  # fmt: skip


def training_voice(rng: random.Random, variants: list[str]) -> Voice:
    """A voice for training: never one that is held out."""
    label = rng.choices(list(TRAINING_SHARES), list(TRAINING_SHARES.values()))[0]
    pitch, rate = rng.uniform(0.8, 1.25), rng.uniform(0.8, 1.25)
    if label == "espeak":
        usable = [v for v in variants if v not in HELD_OUT_ESPEAK]
        return Voice("espeak", f"{rng.choice(_ACCENTS)}+{rng.choice(usable)}", pitch, rate)
    engine, name = label.split(":")
    return Voice(engine, name, pitch, rate)
