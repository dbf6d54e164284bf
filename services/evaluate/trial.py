"""One utterance through a model: heard in 40 ms pieces, answered, and the reply listened to."""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from device.sound.frames import SAMPLE_RATE, Pcm
from services.evaluate.recogniser import Recogniser
from services.evaluate.sets import MOVING, Utterance
from services.language.calls import Call
from services.language.homeview import HomeView
from services.language.outcome_sample import outcome_of
from services.voice.families.base import (
    AudioDelta,
    FunctionCall,
    Session,
    SpeechModel,
    TextDelta,
    Transcript,
)

PIECE = SAMPLE_RATE * 40 // 1000  # samples the loop gives at a time


@dataclass(frozen=True)
class Reply:
    """What the model said, and what an independent recogniser made of it."""

    text: str
    heard: str


@dataclass(frozen=True)
class Answer:
    """What came of one utterance in one condition."""

    utterance: Utterance
    condition: str
    transcript: str
    call: Call | None
    reply: Reply | None = None

    @property
    def exact(self) -> bool:
        """The call that was meant, name and arguments."""
        return self.call == self.utterance.call

    @property
    def moves(self) -> bool:
        """A device would have been moved."""
        return self.call is not None and self.call.name in MOVING


def hear(session: Session, pcm: Pcm) -> None:
    """Give float32[n] as the loop would."""
    for at in range(0, len(pcm), PIECE):
        session.hear(pcm[at : at + PIECE])


def understand(
    model: SpeechModel, home: HomeView, pcm: Pcm, utterance: Utterance, condition: str
) -> Answer:
    """What is called, without waiting for a reply to be spoken."""
    session = model.session(home)
    hear(session, pcm)
    transcript, call = "", None
    events = session.respond([])
    for event in events:
        if isinstance(event, Transcript):
            transcript = event.text
        elif isinstance(event, FunctionCall):
            call = event.call
            break
        elif isinstance(event, TextDelta | AudioDelta):
            break  # it replies: nothing is called
    _leave(session, events)
    return Answer(utterance, condition, transcript, call)


def converse(
    model: SpeechModel,
    home: HomeView,
    pcm: Pcm,
    utterance: Utterance,
    condition: str,
    recogniser: Recogniser,
) -> Answer:
    """As ``understand``, and the reply to a random outcome of the call is spoken and recognised."""
    session = model.session(home)
    hear(session, pcm)
    events = list(session.respond([]))
    call = next((e.call for e in events if isinstance(e, FunctionCall)), None)
    if call is not None:
        rng = random.Random(utterance.number)
        events += session.respond([outcome_of(rng, home, call)])
    transcript = next((e.text for e in events if isinstance(e, Transcript)), "")
    text = "".join(e.text for e in events if isinstance(e, TextDelta))
    sound = [e.pcm for e in events if isinstance(e, AudioDelta)]
    spoken = np.concatenate([np.zeros(0, np.float32), *sound])
    reply = Reply(text, recogniser.hear(spoken)) if text.strip() else None
    return Answer(utterance, condition, transcript, call, reply)


def _leave(session: Session, events: object) -> None:
    """Stop the turn as an interruption would; the rest of the reply is not made."""
    session.cancel()
    if hasattr(events, "close"):
        with closing(events):
            pass
