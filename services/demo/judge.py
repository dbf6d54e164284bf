"""Did it work? The home must stand as it was told to, and the replies must be speech.

The judge of speech is pocketsphinx with its own English dictionary and language model: a
recogniser that had no part in making the replies and knows nothing of this home. It mishears
some words of any synthetic voice, hence the bars: half of all words in order, and at least one
of each reply.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from device.sound.frames import SAMPLE_RATE, Pcm, to_pcm16
from services.demo.script import Recording, World
from services.voice.turn_log import Turn

WORDS_HEARD = 0.5
"""Share of all replies' words that the recogniser must find, in order."""
PAD_S = 0.3  # silence the recogniser wants around an utterance
TOLERANCE = 0.02  # of numbers: a colour's coordinates are rounded on their way


@dataclass(frozen=True)
class Heard:
    """A reply as the recogniser understood it."""

    text: str
    right: int
    """Words of the reply that it found, in order."""
    words: int
    """Words in the reply."""


class Recogniser:
    """pocketsphinx with its own model; raises ModuleNotFoundError where it is not installed."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        self._decoder = Decoder(samprate=SAMPLE_RATE, loglevel="FATAL")

    def hear(self, reply: Pcm, text: str) -> Heard:
        """Recognise float32[n] and count the words of ``text`` in it."""
        silence = np.zeros(int(PAD_S * SAMPLE_RATE), np.float32)
        self._decoder.start_utt()
        self._decoder.process_raw(
            to_pcm16(np.concatenate([silence, reply, silence])), full_utt=True
        )
        self._decoder.end_utt()
        best = self._decoder.hyp()
        heard = best.hypstr if best is not None else ""
        return Heard(heard, in_order(text.split(), heard.split()), len(text.split()))


def differences(before: World, after: World, expect: World) -> list[str]:
    """What is not as it should be: the world before, plus what was asked for, and no more."""
    found = []
    for name, was in before.items():
        wanted = {**was, **expect.get(name, {})}
        for key, value in wanted.items():
            if not _same(after[name].get(key), value):
                found.append(f"{name}: {key} is {after[name].get(key)}, should be {value}")
    return found


def faults(recording: Recording, turns: Sequence[Turn]) -> list[str]:
    """What went wrong in the turns of a recording, apart from where its devices stand."""
    if not turns:
        return ["the wake word was not recognised; begin the recording with it"]
    if recording.expect is not None and len(turns) != 1:
        return [f"woke {len(turns)} times instead of once"]
    return [fault for turn in turns for fault in _turn_faults(turn)]


def _turn_faults(turn: Turn) -> list[str]:
    if turn.ended == "no_speech":
        return ["no command was heard after the wake word"]
    if turn.ended != "done":
        return [f"the turn ended by {turn.ended}"]
    found = []
    if not len(turn.reply):
        found.append("no reply was heard")
    if turn.outcome is not None:
        if turn.outcome.error is not None:
            found.append(f"the home could not do it: {turn.outcome.error}")
        for result in turn.outcome.results:
            if result.status != "confirmed":
                found.append(f"{result.entity_id}: {result.status}")
    return found


def _same(found: object, wanted: object) -> bool:
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(_same(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, float) and isinstance(found, int | float):
        return abs(found - wanted) <= TOLERANCE
    return found == wanted


def in_order(wanted: Sequence[str], heard: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(heard) + 1)
    for word in wanted:
        above = row
        row = [0]
        for at, other in enumerate(heard):
            row.append(above[at] + 1 if word == other else max(above[at + 1], row[at]))
    return row[-1]
