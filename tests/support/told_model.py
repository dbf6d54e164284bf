"""A model that is told what was said: real grammar, real replies, a real voice, no hearing.

It stands in for a speech model where the rest of the appliance is tested.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from device.sound.synthesis import Voice, speak
from services.language.grammar import compile_grammar
from services.language.homeview import HomeView
from services.language.outcome import Outcome
from services.language.replies import NOT_UNDERSTOOD, replies
from services.voice.families.base import (
    AudioDelta,
    Event,
    FunctionCall,
    TextDelta,
    Transcript,
    TurnEnd,
)

VOICE = Voice("flite", "slt")
CHUNK = 6_400  # samples: 0.4 s


class ToldModel:
    """Gives one session per text that is responded to, in order; the last text repeats."""

    sample_rate_out = 16_000

    def __init__(self, *texts: str) -> None:
        self._texts = list(texts)

    def session(self, home: HomeView) -> ToldSession:
        compile_grammar(home)
        return ToldSession(self, home)

    def next_text(self) -> str:
        return self._texts.pop(0) if len(self._texts) > 1 else self._texts[0]


class ToldSession:
    def __init__(self, model: ToldModel, home: HomeView) -> None:
        self._model = model
        self._home = home
        self._cancelled = False

    def hear(self, pcm: np.ndarray) -> None:
        return None

    def respond(self, observations: Sequence[Outcome]) -> Iterator[Event]:
        if observations:
            yield from self._say(replies(observations[0])[0])
            return
        text = self._model.next_text()
        yield Transcript(text)
        call = compile_grammar(self._home).interpret(text)
        if call is None:
            yield from self._say(NOT_UNDERSTOOD[0])
            return
        yield FunctionCall(call)
        yield TurnEnd("call")

    def _say(self, text: str) -> Iterator[Event]:
        yield TextDelta(text)
        pcm = speak(VOICE, [text])[0].astype(np.float32) / 32768
        for at in range(0, len(pcm), CHUNK):
            if self._cancelled:
                yield TurnEnd("cancelled")
                return
            yield AudioDelta(pcm[at : at + CHUNK])
        yield TurnEnd("done")

    def commit(self, samples_heard: int) -> None:
        return None

    def cancel(self) -> None:
        self._cancelled = True
