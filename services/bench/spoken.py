"""What is said in the benchmark: wake word, pause, command, by voices the model never trained on.

Synthesised once and cached where flite and festival are installed; else the demo's recordings, over
and over. Where speech ends is measured on the sound before the room's noise is added.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, cycle, islice

import numpy as np

from device.sound.files import read_audio
from device.sound.frames import FRAME_SAMPLES, SAMPLE_RATE, Pcm
from device.sound.synthesis import HELD_OUT_VOICES, Voice, missing_programs
from device.speech_activity import last_voiced
from device.wake.micro_wakeword import MicroWakeWordDetector
from services.demo.script import RECORDINGS
from services.evaluate.speech_cache import SpeechCache

COMMANDS = """
turn on the kitchen lights
set the bed light to forty percent
is the front door locked
turn off all the lights in the office
what time is it
set the standing light to blue
switch on the coffee maker
what is the outdoor humidity
turn on the desk lamp
set a timer for twenty five minutes
lock the front door
is the garage door open
turn off the television
set the ceiling light to seventy percent
what is today's date
turn on the bedroom fan
turn the office light red
how much time is left on the timer
turn off the hallway light
cancel my timer
""".strip().splitlines()
LEAD_S, PAUSE_S = 0.3, 0.4
PEAK = 0.5  # of the speech, full scale being 1
ROOM = 6e-4  # root mean square of the room's noise, about -64 dBFS


@dataclass(frozen=True)
class Spoken:
    """One turn of the user."""

    pcm: Pcm
    """float32[n] at 16 kHz."""
    end: int
    """Index just after the last voiced sample."""
    text: str = ""
    """The command, empty where unknown."""


def room(samples: int, seed: int) -> Pcm:
    """What a microphone gives while nobody speaks: float32[n]."""
    noise = np.random.default_rng(seed).standard_normal(samples) * ROOM
    return noise.astype(np.float32)


def recordings(wake: str, count: int) -> tuple[str, list[Spoken]]:
    """``synthesised`` or ``shipped``, and so many turns, each of which wakes the box."""
    voices = [_voice(label) for label in HELD_OUT_VOICES]
    if missing_programs(voice.engine for voice in voices):
        return "shipped", list(islice(cycle(_shipped(wake)), count))
    said = list(zip(cycle(voices), islice(cycle(COMMANDS), 2 * count)))
    cache = SpeechCache.default()
    cache.fill(list(chain(said, ((voice, wake) for voice in voices))))
    made = (_compose(cache, wake, *one, seed) for seed, one in enumerate(said))
    return "synthesised", list(islice((s for s in made if wakes(s.pcm, wake)), count))


def _voice(label: str) -> Voice:
    engine, name = label.split(":")
    return Voice(engine, name)


def _compose(cache: SpeechCache, wake: str, voice: Voice, text: str, seed: int) -> Spoken:
    word, command = (read_audio(cache.path(voice, said)) for said in (wake, text))
    clean = np.concatenate([_silence(LEAD_S), word, _silence(PAUSE_S), command])
    clean = clean * (PEAK / float(np.abs(clean).max()))
    end = len(clean) - len(command) + last_voiced(command)
    return Spoken((clean + room(len(clean), seed)).astype(np.float32), end, text)


def _shipped(wake: str) -> Iterator[Spoken]:
    for path in sorted(RECORDINGS.glob("*.wav")):
        pcm = read_audio(path)
        if wakes(pcm, wake):
            yield Spoken(pcm, last_voiced(pcm))


def wakes(pcm: Pcm, phrase: str) -> bool:
    """Whether the wake word is recognised in it, exactly once."""
    detector = MicroWakeWordDetector(phrase)
    whole = len(pcm) // FRAME_SAMPLES * FRAME_SAMPLES
    return sum(detector.feed(frame) for frame in pcm[:whole].reshape(-1, FRAME_SAMPLES)) == 1


def _silence(seconds: float) -> Pcm:
    return np.zeros(int(seconds * SAMPLE_RATE), np.float32)
