"""Which generation answers, and letting another do so from the next turn on.

A turn keeps the session it began with, so no turn is cut or missed by an exchange. Where there is
no room for two models the box is deaf for a while (``updating``), and only when nobody speaks.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from device.errors import DeviceError, EngineError
from services.language.homeview import HomeView
from services.voice.controller import Event, State
from services.voice.families.base import Session, SpeechModel
from services.voice.loop import VoiceLoop
from services.voice.timeline import TimelineEvent

log = logging.getLogger(__name__)

REST_S = 30.0
"""How long to wait for the end of a turn before giving up."""
POLL_S = 0.05
RESTING = frozenset({State.IDLE, State.MUTED})
DEAF = frozenset({State.UPDATING, State.MUTED})


@dataclass(frozen=True)
class Loaded:
    """A model that is open, and where it came from."""

    model: SpeechModel
    generation: str = ""
    """Its directory's name; empty where it is no installed generation."""
    memory_mb: int = 0
    """What its manifest says that it needs, MiB."""
    english: bool = True
    version: str = ""
    """What its manifest calls it; empty where the family needs no bundle."""
    makeshift: bool = False
    """It stands in for what ``current`` names, which does not load."""


def told_of(error: Exception) -> str:
    """What may be told of a fault in a model: what was said may be in the text of any but ours
    and the system's."""
    if isinstance(error, (DeviceError, OSError, MemoryError)):
        return f"{type(error).__name__}: {error}"[:400]
    return type(error).__name__


class Absent:
    """Stands in while the one model is out and the other not yet in; nobody is heard then."""

    sample_rate_out = 16_000

    def session(self, home: HomeView) -> Session:
        raise EngineError("model", "is being exchanged", "wait for the update to end")


class TurnCount:
    """How turns ended since the last exchange; fed on the hearing thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()
        self._after = 0
        self._lock = threading.Lock()
        self.done = 0
        self.failed = 0

    def add(self, event: TimelineEvent) -> None:
        if event.kind != "turn_end":
            return
        self._since = self._clock()
        reason = str(event.data.get("reason"))
        with self._lock:
            if event.turn_id <= self._after:
                return
            if reason == "done":
                self.done += 1
            elif reason.startswith("fault") or reason == "timeout":
                self.failed += 1

    def begin_again(self, after: int) -> None:
        """Count the turns after that one: those up to it are not the new model's."""
        with self._lock:
            self._after, self.done, self.failed = after, 0, 0

    @property
    def quiet_s(self) -> float:
        """Since the last turn ended, or since the start."""
        return self._clock() - self._since


class Exchange:
    """The model in service."""

    def __init__(
        self, loop: VoiceLoop, serving: Loaded, view: Callable[[], HomeView], turns: TurnCount
    ) -> None:
        """Args: view: the owner's home as it is now."""
        self.loop, self.turns = loop, turns
        self.serving = serving
        self._view = view

    @property
    def wanted(self) -> bool:
        """Whether somebody is being heard or answered."""
        return self.loop.state not in {*RESTING, State.UPDATING}

    @property
    def absent(self) -> bool:
        """Whether nothing can answer."""
        return isinstance(self.serving.model, Absent)

    def put_in(self, loaded: Loaded) -> None:
        """Let it answer from the next turn on.

        Raises:
            EngineError: the worker takes no more jobs: the daemon is about to end.
        """
        self._lay_out(loaded.model)
        if not self.loop.replace(loaded.model):
            raise EngineError("model", "cannot be exchanged now", "try again")
        # A turn has its number before it asks the worker for a session, and so for a model.
        self.turns.begin_again(after=self.loop.controller.fence.current)
        self.serving = loaded  # not before: who looks must not count the old one's against it
        if self.loop.state is State.UPDATING:
            self.loop.post(Event.UPDATE_END)
        log.info("another generation answers", extra={"generation": loaded.generation})

    def confirm(self) -> None:
        """What serves is what ``current`` names by now."""
        self.serving = replace(self.serving, makeshift=False)

    def take_out(self) -> None:
        """Stop hearing once nobody speaks, and free the memory of the model in service.

        Raises:
            TimeoutError: somebody speaks all the time.
        """
        self._await(lambda: self.loop.state in RESTING, "a quiet moment")
        if self.loop.state is State.IDLE:
            self.loop.post(Event.UPDATE_BEGIN)
            self._await(lambda: self.loop.state in DEAF, "the end of a turn")
        gone = threading.Event()
        out = self.serving  # and installed still
        self.serving = Loaded(Absent(), version=out.version, makeshift=out.makeshift)
        self.loop.replace(self.serving.model)
        self.loop.worker.submit(gone.set)
        if not gone.wait(REST_S):
            raise TimeoutError("the model does not let go")
        gc.collect()

    def rest(self) -> None:
        """Wait for the end of a turn, but not for ever."""
        with contextlib.suppress(TimeoutError):
            self._await(lambda: not self.wanted, "the end of a turn")

    def _lay_out(self, model: SpeechModel) -> None:
        """The owner's sentences, before the first command would have to wait for that."""
        model.session(self._view()).cancel()

    def _await(self, true: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + REST_S
        while not true():
            if time.monotonic() > until:
                raise TimeoutError(f"waited {REST_S:g} s for {what}")
            time.sleep(POLL_S)
