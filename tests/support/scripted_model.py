"""A speech model that follows a script: the whole protocol, none of the learning.

It answers each turn with the next :class:`Script`; its voice is a sine tone, so that what was
played can be recognised sample by sample. It keeps what it heard and what it was told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from services.home.safety import Safety
from services.language.calls import Call
from services.language.homeview import HomeView
from services.language.outcome import Outcome
from services.voice.families.base import (
    AudioDelta,
    Event,
    FunctionCall,
    TextDelta,
    Transcript,
    TurnEnd,
)
from tests.services.home.guarded import steps, thing

CHUNK = 1_280  # samples of reply at a time: 80 ms, as a 12.5 Hz token decoder gives


def voice(seconds: float, hertz: float = 300.0) -> np.ndarray:
    """float32[n]: the scripted voice."""
    t = np.arange(int(seconds * 16_000)) / 16_000
    return (0.4 * np.sin(2 * np.pi * hertz * t)).astype(np.float32)


@dataclass(frozen=True)
class Script:
    """One turn."""

    transcript: str = "turn on the kitchen light"
    call: Call | None = None
    reply: str = "done"
    seconds: float = 0.5
    fails_with: Exception | None = None
    complete_after_s: float | None = None
    """Seconds heard after which the words are a whole command."""


@dataclass
class ScriptedSession:
    script: Script
    home: HomeView
    before_chunk: Callable[[], None]
    heard: list[np.ndarray] = field(default_factory=list)
    observed: list[Outcome] = field(default_factory=list)
    committed: int | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    def hear(self, pcm: np.ndarray) -> None:
        self.heard.append(pcm)

    @property
    def heard_pcm(self) -> np.ndarray:
        return np.concatenate([np.zeros(0, np.float32), *self.heard])

    def complete(self) -> bool:
        after = self.script.complete_after_s
        return after is not None and len(self.heard_pcm) >= after * 16_000

    def respond(self, observations: Sequence[Outcome]) -> Iterator[Event]:
        self.observed += observations
        if self.script.fails_with is not None:
            raise self.script.fails_with
        if not observations:
            yield Transcript(self.script.transcript)
            if self.script.call is not None:
                yield FunctionCall(self.script.call)
                yield TurnEnd("call")
                return
        yield TextDelta(self.script.reply)
        sound = voice(self.script.seconds)
        for at in range(0, len(sound), CHUNK):
            self.before_chunk()
            if self.cancelled.is_set():
                yield TurnEnd("cancelled")
                return
            yield AudioDelta(sound[at : at + CHUNK])
        yield TurnEnd("done")

    def commit(self, samples_heard: int) -> None:
        self.committed = samples_heard

    def cancel(self) -> None:
        self.cancelled.set()


class ScriptedModel:
    """Gives one session per script, in order; the last script repeats."""

    sample_rate_out = 16_000

    def __init__(self, *scripts: Script, before_chunk: Callable[[], None] = lambda: None) -> None:
        self._scripts = scripts or (Script(),)
        self._before_chunk = before_chunk
        self.sessions: list[ScriptedSession] = []

    def session(self, home: HomeView) -> ScriptedSession:
        script = self._scripts[min(len(self.sessions), len(self._scripts) - 1)]
        self.sessions.append(ScriptedSession(script, home, self._before_chunk))
        return self.sessions[-1]


class AnsweringModel(ScriptedModel):
    """One that can hear a yes; its answers come from scripts like its other turns."""

    answered: int = 0

    def answer_session(self, home: HomeView) -> ScriptedSession:
        self.answered += 1
        return self.session(home)


class MarkedWake:
    """Wakes on a frame that begins with the mark."""

    phrase = "mark"
    MARK = np.float32(0.987654)

    def __init__(self) -> None:
        self.score = 0.0

    def feed(self, pcm: np.ndarray) -> bool:
        self.score = float(pcm[0] == self.MARK)
        return self.score > 0

    def reset(self) -> None:
        self.score = 0.0


class LoudActivity:
    """Speech is whatever is louder than -40 dBFS."""

    def feed(self, pcm: np.ndarray) -> float:
        return float(np.sqrt(np.mean(pcm**2)) > 0.01)

    def reset(self) -> None:
        return None


class QuietHome:
    """A home that confirms everything and remembers what it was asked."""

    def __init__(self, view: HomeView | None = None) -> None:
        self._view = view or HomeView()
        self.executed: list[tuple[int, Call]] = []
        self.refused: list[Call] = []
        self.before_execute: Callable[[], object] = lambda: None
        """What happens between the model's call and the home."""

    def view(self) -> HomeView:
        return self._view

    def execute(
        self,
        call: Call,
        turn_id: int,
        current: Callable[[int], bool],
        session: str | None = None,
    ) -> Outcome:
        self.before_execute()
        if not current(turn_id):
            self.refused.append(call)
            return Outcome(call, error="cancelled")
        self.executed.append((turn_id, call))
        return Outcome(call)

    def confirm(
        self, said: str, session: str, turn_id: int, current: Callable[[int], bool]
    ) -> Outcome:
        return Outcome(Call.of("HassNevermind"), error="nothing_asked")

    def withdraw(self) -> None:
        return None


class LockedHome(QuietHome):
    """A home of one lock, which is unlocked by nothing but the real rules about asking."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._safety = Safety()
        self.lock = thing("lock", "front door")
        self.unlocked_in: list[int] = []

    def execute(
        self,
        call: Call,
        turn_id: int,
        current: Callable[[int], bool],
        session: str | None = None,
    ) -> Outcome:
        verdict = self._safety.weigh(call, steps(call, self.lock), session, self._clock())
        assert not verdict.allowed
        return Outcome(call, facts=verdict.facts, error=verdict.error)

    def confirm(
        self, said: str, session: str, turn_id: int, current: Callable[[int], bool]
    ) -> Outcome:
        verdict = self._safety.confirm(said, session, [self.lock], self._clock())
        if verdict.allowed and current(turn_id):
            self.unlocked_in.append(turn_id)
        return Outcome(verdict.call, error=verdict.error)

    def withdraw(self) -> None:
        self._safety.withdraw()
