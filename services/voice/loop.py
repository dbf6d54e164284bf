"""The voice loop: frames in; wake, hear, answer, be interrupted; sound out.

One thread hears: it takes a frame every 10 ms, decides, and never waits. The model and the home
work on a :class:`Worker`; what they make comes back as notes that are read at the next frame, and
their sound goes straight to the playback queue. Everything carries its turn, and whatever is
older than the current turn is dropped where it is met.

The controller's table says what happens; this module carries it out.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from device.sound.clock import Clock, MonotonicClock
from device.sound.frames import SAMPLE_RATE, AudioSink, Frame, FrameSource, Pcm
from device.sound.playback import PlaybackQueue
from device.speech_activity import SpeechActivity
from device.wake.detector import WakeDetector
from services.voice.controller import Action, Controller, Dwell, Event, State
from services.voice.ear import Ear, EarConfig
from services.voice.endpoint import Barge, Decision
from services.voice.families.base import FunctionCall, SpeechModel, Transcript, TurnEnd
from services.voice.runner import Asked, Executed, Failed, HomePort, Note, ReplyText, TurnRunner
from services.voice.timeline import Kind, Timeline, TimelineEvent
from services.voice.worker import ThreadWorker, Worker

log = logging.getLogger(__name__)

__all__ = ["HomePort", "LoopConfig", "TimelineEvent", "VoiceLoop"]

_DEAF = {State.MUTED, State.UPDATING}
_HEARING = {State.WAKING, State.LISTENING}


class HomeStep(Protocol):
    """A command sent or confirmed, as the home's observer tells it."""

    @property
    def kind(self) -> str: ...
    @property
    def turn_id(self) -> int: ...
    @property
    def entity_id(self) -> str: ...
    @property
    def at_s(self) -> float: ...


@dataclass(frozen=True)
class LoopConfig:
    """How the loop behaves."""

    ear: EarConfig = field(default_factory=EarConfig)
    dwell: Dwell = field(default_factory=Dwell)
    interrupt_by_speech: bool = True
    """Whether speech stops a reply; needs an echo canceller where a loudspeaker is heard."""
    duck_gain: float = 0.25
    """Level of the reply (0..1) while someone may be speaking over it."""


class VoiceLoop:
    """Everything between microphone and loudspeaker for one user at a time."""

    def __init__(
        self,
        model: SpeechModel,
        home: HomePort,
        wake: WakeDetector,
        activity: SpeechActivity,
        *,
        config: LoopConfig | None = None,
        clock: Clock | None = None,
        worker: Worker | None = None,
        playback: PlaybackQueue | None = None,
        emit: Callable[[TimelineEvent], None] = lambda event: None,
        woken: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Args:
            emit: called on the hearing thread with each event of a turn; must be quick.
            woken: called there at the wake word, which ends whatever rings; must be quick, too.
            worker: where the model works; a thread of its own unless given.

        Raises:
            ValueError: the model does not speak at 16 kHz.
        """
        _check(model)
        self.config = config or LoopConfig()
        self.clock = clock or MonotonicClock()
        self.playback = playback or PlaybackQueue()
        self.worker = worker or ThreadWorker()
        self.controller = Controller(dwell=self.config.dwell)
        self.last_step_s = self.clock.now()
        self._ear = Ear(wake, activity, self.config.ear)
        # One queue for both, so that a command is not shown before the call it came from.
        self._news: queue.SimpleQueue[Note | HomeStep] = queue.SimpleQueue()
        self._commands: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._announcements: queue.SimpleQueue[Pcm] = queue.SimpleQueue()
        self._runner = TurnRunner(
            model, home, self.playback, self.controller.fence, self.clock, self._news.put
        )
        self._timeline = Timeline(emit)
        self._woken = woken
        self._turn_id = 0
        self._model_done = False
        self._asked_in: int | None = None
        """The turn whose reply is a question."""
        self._stopping = False

    # --- for other threads -------------------------------------------------------------------

    def post(self, event: Event) -> None:
        """Mute, unmute, begin or end an update; taken before anything else at the next frame."""
        self._commands.put(event)

    def home_step(self, step: HomeStep) -> None:
        """Give this to the home as its observer: commands and confirmations get exact times."""
        self._news.put(step)

    def announce(self, pcm: Pcm) -> None:
        """Sound float32[n] that belongs to no turn, such as a timer's ring, as soon as none is
        going on; the wake word ends it."""
        self._announcements.put(pcm)

    @property
    def model(self) -> SpeechModel:
        """Who answers the next turn."""
        return self._runner.model

    def replace(self, model: SpeechModel) -> bool:
        """Let another model answer from the next turn on, in order with what the worker has.

        Returns False when the worker takes no more jobs. Raises ValueError as the constructor.
        """
        _check(model)
        return self.worker.submit(partial(self._runner.replace, model))

    def stop(self) -> None:
        """Make ``run`` return at the next frame."""
        self._stopping = True

    @property
    def state(self) -> State:
        return self.controller.state

    @property
    def busy(self) -> bool:
        """A turn is going on, or its last sound is still to be played."""
        resting = self.state in {State.IDLE, *_DEAF}
        return not resting or not self.playback.empty or self.worker.pending > 0

    # --- the hearing thread ------------------------------------------------------------------

    def run(self, source: FrameSource, sink: AudioSink) -> None:
        """Hear until the source ends or ``stop`` is called; closes both."""
        sink.start(self.playback.pull)
        try:
            for frame in source.frames():
                if self._stopping:
                    break
                self.step(frame)
                sink.tick(frame.t)
        finally:
            source.close()
            self._interrupt_now("stopped", self.clock.now())
            sink.close()

    def step(self, frame: Frame) -> None:
        """Take 10 ms of sound and do all that follows from it."""
        t = frame.t
        self.last_step_s = self.clock.now()
        self._take_news(t)
        if self.state not in _DEAF:
            self._hear(frame)
        self._watch_playback(t)
        self._carry_out(self.controller.tick(t), t, "timeout")
        if not self._announcements.empty() and not self.busy:
            self.playback.enqueue(self.controller.fence.current, self._announcements.get_nowait())

    def _hear(self, frame: Frame) -> None:
        woke, speech = self._ear.feed(frame)
        if woke:
            self._handle(Event.WAKE, frame.t)
        elif self.state in _HEARING:
            complete = self._runner.complete_turn == self._turn_id
            decision = self._ear.listen(frame, speech, complete)
            self._send(self._ear.take())
            self._decide(decision, frame.t)
        elif self.state is State.SPEAKING or self.state is State.FOLLOW_UP:
            self._watch_barge_in(frame.t, speech)

    def _decide(self, decision: Decision, t: float) -> None:
        if decision is Decision.START:
            self._mark("speech_start", self._ear.started_at(t))
            self._handle(Event.SPEECH_START, t)
        elif decision is Decision.END:
            self._mark("speech_end", self._ear.ended_at(t))
            self._mark("endpoint", t)
            self._handle(Event.SPEECH_END, t)
        elif decision is Decision.TIMEOUT:
            self._handle(Event.NO_SPEECH, t)

    def _watch_barge_in(self, t: float, speech: bool) -> None:
        if not self.config.interrupt_by_speech and self.state is State.SPEAKING:
            return
        barge = self._ear.over_reply(t, speech)
        if barge is Barge.SUSPECT:
            self.playback.duck(self.config.duck_gain)
        elif barge is Barge.CLEAR:
            self.playback.duck(1.0)
        elif barge is Barge.CONFIRM:
            self._handle(Event.BARGE_IN, t)

    def _watch_playback(self, t: float) -> None:
        if self.state is State.THINKING:
            audible = self.playback.first_audible(self._turn_id)
            if audible is not None:
                self._mark("first_audio", audible)
                self._handle(Event.FIRST_AUDIO, t)
        answering = self.state is State.THINKING or self.state is State.SPEAKING
        if answering and self._model_done and self.playback.empty:
            asked = self._asked_in == self._turn_id
            self._handle(Event.ASKED if asked else Event.REPLY_DONE, t)

    # --- news from the worker and from outside -----------------------------------------------

    def _take_news(self, t: float) -> None:
        while not self._commands.empty():
            self._handle(self._commands.get_nowait(), t)
            if self.state in _DEAF:
                self._ear.forget()
        while not self._news.empty():
            news = self._news.get_nowait()
            if isinstance(news, Note):
                self._take_note(news, t)
            else:
                self._take_step(news)

    def _take_step(self, step: HomeStep) -> None:
        kind: Kind = "command_sent" if step.kind == "sent" else "confirmed"
        self._timeline.mark(step.turn_id, kind, step.at_s, entity_id=step.entity_id)

    def _take_note(self, note: Note, t: float) -> None:
        if not self.controller.fence.admits(note.turn_id):
            return
        match note.news:
            case Transcript(text):
                self._mark("transcript", note.at_s, text=text)
            case FunctionCall(call):
                self._mark("call", note.at_s, call=call)
            case Executed(outcome, started):
                self._mark("outcome", note.at_s, outcome=outcome, started_s=started)
            case ReplyText(text):
                self._mark("reply_text", note.at_s, text=text)
            case Asked():
                self._asked_in = note.turn_id
            case TurnEnd():
                self._model_done = True
            case Failed(error):
                self._handle(Event.FAULT, t, f"fault: {error}")
            case _:
                pass  # pieces of text; the whole follows

    # --- carrying out ------------------------------------------------------------------------

    def _handle(self, event: Event, t: float, reason: str = "") -> None:
        self._carry_out(self.controller.handle(event, t), t, reason or event.value)

    def _carry_out(self, actions: tuple[Action, ...], t: float, reason: str) -> None:
        for action in actions:
            if action is Action.INTERRUPT:
                self._interrupt_now(reason, t)
            elif action is Action.OPEN_TURN:
                self._open_turn(t, reason)
            elif action is Action.CLOSE_EAR:
                self._send(self._ear.take(everything=True))
                self._submit(partial(self._runner.respond, self._turn_id))
            elif action is Action.DROP_TURN:
                self._runner.cancel()
                self._mark("turn_end", t, reason=reason)
                self._turn_id = 0
            elif action is Action.END_TURN:
                self._end_turn(t)

    def _open_turn(self, t: float, reason: str) -> None:
        turn_id = self._turn_id = self.controller.fence.current
        self.playback.flush(below=turn_id)  # a ringing timer is silenced by the wake word,
        while not self._announcements.empty():  # and so is what it had still to say
            self._announcements.get_nowait()
        self.playback.duck(1.0)
        self._model_done = False
        asked_in, self._asked_in = self._asked_in, None
        answers = asked_in if reason == Event.ASKED.value else None
        self._submit(partial(self._runner.begin, turn_id, answers))
        if reason == Event.WAKE.value:
            self._woken()
            self._mark("wake", t)
            self._ear.open_after_wake(t)
        elif reason == Event.ASKED.value:
            self._ear.open_to_answer(t)
        else:
            self._decide(self._ear.open_after_speech(t), t)

    def _interrupt_now(self, reason: str, t: float) -> None:
        """Silence, cancel, and keep what was heard; the fence has been raised already."""
        fence = self.controller.fence
        if fence.admits(self._turn_id):
            fence.advance()  # the loop itself stops, or the turn is already over
        self.playback.flush(below=fence.current)
        self.playback.duck(1.0)
        turn_id, heard = self._turn_id, self.playback.samples_played(self._turn_id)
        if turn_id == 0:
            return
        self._runner.cancel()
        self._turn_id = 0
        self.worker.submit(partial(self._runner.finish, turn_id, heard))
        self._timeline.mark(turn_id, "interrupted", t, samples_heard=heard, reason=reason)
        self._timeline.mark(turn_id, "turn_end", t, reason=reason)

    def _end_turn(self, t: float) -> None:
        turn_id, heard = self._turn_id, self.playback.samples_played(self._turn_id)
        self._submit(partial(self._runner.finish, turn_id, heard))
        self._mark("turn_end", t, reason="done", samples_heard=heard)
        self._turn_id = 0
        self._ear.reply_begins()

    def _send(self, pcm: Pcm | None) -> None:
        if pcm is not None:
            self._submit(partial(self._runner.hear, self._turn_id, pcm))

    def _submit(self, job: Callable[[], None]) -> None:
        if not self.worker.submit(job):
            log.error("the model is too slow: its queue is full")
            self.post(Event.FAULT)

    def _mark(self, kind: Kind, at_s: float, **data: object) -> None:
        self._timeline.mark(self._turn_id, kind, at_s, **data)


def _check(model: SpeechModel) -> None:
    if model.sample_rate_out != SAMPLE_RATE:
        raise ValueError(f"replies must be {SAMPLE_RATE} Hz, not {model.sample_rate_out}")
