"""The one interface every speech model family implements.

A turn is ``hear`` (while the user speaks), ``respond([])`` (transcript and call), the call carried
out by the home, ``respond([outcome])`` (spoken reply), then ``commit`` with what was heard of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from services.language.calls import Call
from services.language.homeview import HomeView
from services.language.outcome import Outcome

Pcm = npt.NDArray[np.float32]
"""float32[n] in -1..1, mono."""


@dataclass(frozen=True)
class Transcript:
    """What the model understood; personal data, never logged."""

    text: str


@dataclass(frozen=True)
class FunctionCall:
    call: Call


@dataclass(frozen=True)
class TextDelta:
    """The next piece of the reply's text."""

    text: str


@dataclass(frozen=True)
class AudioDelta:
    """The next piece of the reply's sound, at ``SpeechModel.sample_rate_out``."""

    pcm: Pcm


@dataclass(frozen=True)
class TurnEnd:
    """call: an outcome is awaited; done: the reply is complete; cancelled: the turn was dropped."""

    reason: Literal["call", "done", "cancelled"]


Event = Transcript | FunctionCall | TextDelta | AudioDelta | TurnEnd


class Session(Protocol):
    """One conversation turn's state; not thread-safe but for ``cancel``."""

    def hear(self, pcm: Pcm) -> None:
        """Take 10..80 ms of 16 kHz speech; work is done here, while the user still speaks."""

    def respond(self, observations: Sequence[Outcome]) -> Iterator[Event]:
        """Answer what was heard (no observations), or speak of the outcomes."""

    def commit(self, samples_heard: int) -> None:
        """Cut the history to the part of the reply that was played."""

    def cancel(self) -> None:
        """Stop generating; callable from another thread."""


class SpeechModel(Protocol):
    """A loaded model; sessions are made from it."""

    @property
    def sample_rate_out(self) -> int:
        """Hz of ``AudioDelta``."""

    def session(self, home: HomeView) -> Session:
        """Start a turn in the home as it is now."""


@runtime_checkable
class Answering(Protocol):
    """A model that can hear a yes. Without it nothing risky can be agreed to aloud."""

    def answer_session(self, home: HomeView) -> Session:
        """A turn that hears the answer to a question: ``respond([])`` gives its ``Transcript``."""
