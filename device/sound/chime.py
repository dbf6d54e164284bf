"""Sounds that are no speech, made here so that no recording has to be licensed."""

from __future__ import annotations

import numpy as np

from device.sound.frames import SAMPLE_RATE, Pcm

RING_TONES = (880.0, 1108.7, 1318.5)  # Hz: A5, C sharp 6, E6


def ring(repeats: int = 5) -> Pcm:
    """float32[n]: a timer's ring, a rising figure and a pause, ``repeats`` times a second each."""
    figure = np.concatenate([_ping(hertz, 0.16) for hertz in RING_TONES])
    pause = np.zeros(SAMPLE_RATE - len(figure), np.float32)
    return np.tile(np.concatenate([figure, pause]), repeats)


def _ping(hertz: float, seconds: float) -> Pcm:
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    attack = np.minimum(t / 0.005, 1.0)  # no click
    release = np.minimum((seconds - t) / 0.02, 1.0)
    tone = 0.3 * np.sin(2 * np.pi * hertz * t) * np.exp(-6.0 * t) * attack * release
    return tone.astype(np.float32)
