"""One turn on the worker's side: feeds the session, carries out its calls, queues its sound.

Every method here runs on the worker but ``cancel``. Each looks at the fence first: a job of an
older turn does nothing. What the hearing side must know comes back as notes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from device.sound.clock import Clock
from device.sound.frames import Pcm
from device.sound.playback import PlaybackQueue
from services.language.calls import Call
from services.language.homeview import HomeView
from services.language.outcome import Outcome
from services.logs import without_message
from services.voice.families.base import (
    Answering,
    AudioDelta,
    Event,
    FunctionCall,
    Session,
    SpeechModel,
    TextDelta,
    Transcript,
    TurnEnd,
)
from services.voice.history import History, SpokenReply
from services.voice.turn import TurnFence

log = logging.getLogger(__name__)

MAX_CALLS = 4  # in one turn; a model that calls on and on is stopped


class HomePort(Protocol):
    """All that the voice needs of the home."""

    def view(self) -> HomeView:
        """The home as it is now."""

    def execute(
        self,
        call: Call,
        turn_id: int,
        current: Callable[[int], bool],
        session: str | None = None,
    ) -> Outcome:
        """Carry out a call; ``current(turn_id)`` is asked before anything is sent.

        ``session`` names who would answer a question: then the outcome's facts hold ``answer_s``.
        """

    def confirm(
        self, said: str, session: str, turn_id: int, current: Callable[[int], bool]
    ) -> Outcome:
        """Take the answer to that question."""

    def withdraw(self) -> None:
        """Nobody answers any more."""


@runtime_checkable
class Hinting(Protocol):
    """A session that can tell, while hearing, whether the words so far are a whole command."""

    def complete(self) -> bool: ...


@dataclass(frozen=True)
class Executed:
    """A call has been carried out."""

    outcome: Outcome
    started_s: float


@dataclass(frozen=True)
class Asked:
    """The reply is a question: what is said next is its answer."""


@dataclass(frozen=True)
class Failed:
    """The model or the home broke; only the kind of error is kept, its text may be personal."""

    error: str


@dataclass(frozen=True)
class ReplyText:
    """The whole text of the reply; personal data."""

    text: str


Said = Event | Executed | Asked | Failed | ReplyText


@dataclass(frozen=True)
class Note:
    """News of a turn from the worker."""

    turn_id: int
    at_s: float
    news: Said


class TurnRunner:
    """The current session and what becomes of it."""

    def __init__(
        self,
        model: SpeechModel,
        home: HomePort,
        playback: PlaybackQueue,
        fence: TurnFence,
        clock: Clock,
        post: Callable[[Note], None],
    ) -> None:
        self._model = model
        self._home = home
        self._playback = playback
        self._fence = fence
        self._clock = clock
        self._post = post
        self._session: Session | None = None
        self._turn_id = 0
        self._answers: str | None = None
        """Whose question this turn answers."""
        self._transcript = ""
        self._reply = SpokenReply()
        self.history = History()
        self.complete_turn = 0
        """The turn whose words so far are a whole command; 0 for none."""

    @property
    def model(self) -> SpeechModel:
        """Who answers the next turn."""
        return self._model

    def replace(self, model: SpeechModel) -> None:
        """Let another answer from the next turn on; one that goes on keeps its session."""
        self._model = model

    def begin(self, turn_id: int, asked_in: int | None = None) -> None:
        """Start the session of a turn.

        Args:
            asked_in: the turn whose question this one answers; else an open question is dropped.
        """
        if not self._fence.admits(turn_id):
            return
        self.complete_turn = 0
        self._session = None
        self._transcript, self._reply = "", SpokenReply()
        with _Guard(self, turn_id):
            self._answers = None if asked_in is None else _session_of(asked_in)
            self._session = self._opened(self._home.view())
            self._turn_id = turn_id

    def _opened(self, view: HomeView) -> Session:
        if self._answers is not None and isinstance(self._model, Answering):
            return self._model.answer_session(view)
        self._answers = None
        self._home.withdraw()
        return self._model.session(view)

    def hear(self, turn_id: int, pcm: Pcm) -> None:
        """Give float32[n] of the user's speech to the session."""
        session = self._current(turn_id)
        if session is None:
            return
        with _Guard(self, turn_id):
            session.hear(pcm)
            if isinstance(session, Hinting):
                self.complete_turn = turn_id if session.complete() else 0

    def respond(self, turn_id: int) -> None:
        """Answer: transcript, calls and their outcomes, reply."""
        session = self._current(turn_id)
        if session is None:
            return
        with _Guard(self, turn_id):
            observations = self._answered(session, turn_id)
            for _ in range(MAX_CALLS):
                call = self._answer(session, turn_id, observations)
                if call is None or not self._fence.admits(turn_id):
                    break
                observations = [self._execute(call, turn_id)]
            self._note(turn_id, ReplyText(self._reply.text))
            self._note(turn_id, TurnEnd("done"))

    def _answered(self, session: Session, turn_id: int) -> list[Outcome]:
        """What became of the question this turn answers; nothing where it answers none.

        The words are compared by the home's code; whatever else the model makes of them is left.
        """
        if self._answers is None:
            return []
        for event in session.respond([]):
            if isinstance(event, Transcript):
                self._keep(event)
                self._note(turn_id, event)
        started, admits = self._clock.now(), self._fence.admits
        outcome = self._home.confirm(self._transcript, self._answers, turn_id, admits)
        self._note(turn_id, Executed(outcome, started))
        return [outcome]

    def finish(self, turn_id: int, samples_heard: int) -> None:
        """The reply was played or cut: the session and the history keep what was heard."""
        if self._session is None or turn_id != self._turn_id:
            return
        session, self._session = self._session, None
        with _Guard(self, turn_id):
            session.commit(samples_heard)
            self.history.add(self._transcript, self._reply, samples_heard)

    def cancel(self) -> None:
        """Stop generating; called from the hearing thread."""
        session = self._session
        if session is not None:
            session.cancel()

    def fail(self, turn_id: int, error: BaseException) -> None:
        """A fault ends the turn, not the daemon; its text may be personal, its kind is not."""
        log.error("turn failed", extra={"turn": turn_id, "error": type(error).__name__})
        log.debug("trace of the failed turn", exc_info=without_message(error))
        self._note(turn_id, Failed(type(error).__name__))

    def _current(self, turn_id: int) -> Session | None:
        return self._session if self._fence.admits(turn_id) and turn_id == self._turn_id else None

    def _answer(
        self, session: Session, turn_id: int, observations: Sequence[Outcome]
    ) -> Call | None:
        """One pass of the model; the call it asks for, if any."""
        call: Call | None = None
        for event in session.respond(observations):
            if not self._fence.admits(turn_id):
                return None
            match event:
                case AudioDelta(pcm):
                    self._speak(turn_id, pcm)
                case TurnEnd():
                    pass  # the last one is posted by ``respond``
                case _:
                    self._keep(event)
                    self._note(turn_id, event)
            if isinstance(event, FunctionCall):
                call = event.call
        return call

    def _keep(self, event: Event) -> None:
        if isinstance(event, Transcript):
            self._transcript = event.text
        elif isinstance(event, TextDelta):
            self._reply.add_text(event.text)

    def _speak(self, turn_id: int, pcm: Pcm) -> None:
        if self._playback.enqueue(turn_id, pcm):
            self._reply.add_audio(len(pcm))

    def _execute(self, call: Call, turn_id: int) -> Outcome:
        started = self._clock.now()
        # Who cannot hear a yes must not be left waiting for one.
        session = _session_of(turn_id) if isinstance(self._model, Answering) else None
        outcome = self._home.execute(call, turn_id, self._fence.admits, session)
        self._note(turn_id, Executed(outcome, started))
        if outcome.error == "needs_confirmation" and "answer_s" in outcome.facts:
            self._note(turn_id, Asked())
        return outcome

    def _note(self, turn_id: int, news: Said) -> None:
        self._post(Note(turn_id, self._clock.now(), news))


def _session_of(turn_id: int) -> str:
    """By what name a turn asks, and the turn after it answers."""
    return f"voice turn {turn_id}"


class _Guard:
    """The edge of the daemon: whatever a model raises ends its turn only."""

    def __init__(self, runner: TurnRunner, turn_id: int) -> None:
        self._runner = runner
        self._turn_id = turn_id

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, Exception):
            self._runner.fail(self._turn_id, error)
            return True
        return False
