"""The cascade: a recogniser, the home's grammar and a synthesiser, one after another.

The peer the built-in model is measured against, and a choice for who prefers it: pocketsphinx
hears, the grammar tells the call, the reply is the plainest true sentence, espeak-ng speaks it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from services.language.homeview import HomeView
from services.language.outcome import Outcome
from services.language.replies import NOT_UNDERSTOOD, replies
from services.voice.espeak import SAMPLE_RATE, EspeakVoice
from services.voice.families.base import (
    AudioDelta,
    Event,
    FunctionCall,
    Pcm,
    TextDelta,
    Transcript,
    TurnEnd,
)
from services.voice.second_opinion import PocketsphinxOpinion, SphinxSettings

_PIECE = SAMPLE_RATE * 80 // 1000  # samples of one piece of sound: how late a cancel may take hold


class CascadeSession:
    """One turn of the cascade."""

    def __init__(self, opinion: PocketsphinxOpinion, voice: EspeakVoice) -> None:
        self._opinion = opinion
        self._voice = voice
        self._cancelled = threading.Event()
        self._opinion.start()

    def hear(self, pcm: Pcm) -> None:
        """Keep the sound; pocketsphinx wants the whole utterance."""
        self._opinion.hear(pcm)

    def respond(self, observations: Sequence[Outcome]) -> Iterator[Event]:
        """The call that was heard, or the spoken reply to what became of it.

        Raises:
            VoiceFailed: the synthesiser gave no sound.
        """
        if observations:
            yield from self._speak(" ".join(replies(outcome)[0] for outcome in observations))
            return
        found = self._opinion.finish()
        yield Transcript(found.readings[0].text if found.readings else "")
        if found.call is None:
            yield from self._speak(NOT_UNDERSTOOD[0])
        elif self._cancelled.is_set():
            yield TurnEnd("cancelled")
        else:
            yield FunctionCall(found.call)
            yield TurnEnd("call")

    def commit(self, samples_heard: int) -> None:
        """Nothing to cut: the cascade remembers no turn."""

    def cancel(self) -> None:
        self._cancelled.set()

    def _speak(self, text: str) -> Iterator[Event]:
        if not self._cancelled.is_set():
            yield TextDelta(text)
            pcm = self._voice.say(text)
            for start in range(0, len(pcm), _PIECE):
                if self._cancelled.is_set():
                    break
                yield AudioDelta(pcm[start : start + _PIECE])
        yield TurnEnd("cancelled" if self._cancelled.is_set() else "done")


class Cascade:
    """The parts, loaded once; the recogniser is rebuilt when the home changes."""

    sample_rate_out = SAMPLE_RATE

    def __init__(self, settings: SphinxSettings | None = None) -> None:
        """
        Raises:
            VoiceMissing: espeak-ng is not installed.
        """
        self._settings = settings
        self._voice = EspeakVoice()
        self._known: tuple[HomeView, PocketsphinxOpinion] | None = None

    def session(self, home: HomeView) -> CascadeSession:
        """A turn in this home.

        Raises:
            RecogniserMissing: pocketsphinx is not installed.
        """
        if self._known is None or self._known[0] != home:
            self._known = home, PocketsphinxOpinion(home, self._settings)
        return CascadeSession(self._known[1], self._voice)
