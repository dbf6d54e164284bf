"""Who answers the updater in the voice daemon: quick answers, slow work on a thread of its own."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ota.errors import Reason
from services.home.presence.entities import Update
from services.logs import without_message
from services.settings import Settings
from services.voice.trial.exchange import Exchange, Loaded, told_of
from services.voice.trial.opening import directory, manifest_of
from services.voice.trial.prover import Open, Prover
from services.voice.trial.words import Look, Proof, Prove, Question, Serve, Tell, VoiceState

log = logging.getLogger(__name__)

HELD_S = 300.0
"""How long a model that passed waits to be asked to serve."""
_QUESTION: TypeAdapter[Question] = TypeAdapter(Question)


def reopen() -> None:
    """Let the daemon close the box and open it with what ``current`` names."""
    os.kill(os.getpid(), signal.SIGHUP)


class TrialDesk:
    """``answer`` is the socket's; ``close`` before the box closes."""

    def __init__(
        self,
        settings: Settings,
        exchange: Exchange,
        prover: Prover,
        *,
        open_: Open,
        due_s: Callable[[], float | None] = lambda: None,
        start_over: Callable[[], None] = reopen,
    ) -> None:
        """
        Args:
            open_: opens a generation by its name; may raise DeviceError.
            due_s: seconds until the next timer or alarm rings.
            start_over: the way out when a model cannot be put in beside the one that serves.
        """
        self._settings, self._exchange, self._prover = settings, exchange, prover
        self._open = open_
        self._due_s, self._start_over = due_s, start_over
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._proof: Proof | None = None
        self._held: Loaded | None = None
        self._letting_go: threading.Timer | None = None
        self._told: Tell | None = None
        self._install = ""

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Answer one question; ``ValueError`` where it is none or cannot be done now."""
        try:
            asked = _QUESTION.validate_python(question)
        except ValidationError:
            raise ValueError("not a question this daemon knows") from None
        match asked:
            case Prove():
                if not self._is_at(asked.generation):
                    self._begin(lambda: self._prove(asked), Proof(generation=asked.generation))
            case Serve():
                self._serve(asked.generation)
            case Tell():
                # The wish was heard by who tells this, or it was for another release.
                self._told, self._install = asked, ""
            case Look():
                pass
        return self.state().model_dump(mode="json")

    def state(self) -> VoiceState:
        turns, loop, serving = self._exchange.turns, self._exchange.loop, self._exchange.serving
        return VoiceState(
            serving=serving.generation,
            speaking=self._exchange.wanted or not loop.playback.empty,
            quiet_s=max(0.0, turns.quiet_s),
            due_s=self._due_s(),
            turns=turns.done,
            failed=turns.failed,
            safe_mode=serving.makeshift,
            install=self._install,
            told=self._told is not None,
            proof=self._proof,
        )

    def shown(self) -> Update | None:
        """For Home Assistant; None where nothing is known."""
        told = self._told or Tell()
        installed = told.installed or self._exchange.serving.version
        if not installed:
            return None
        return Update(installed, told.latest or None, told.progress, told.notes)

    def install(self) -> None:
        """The owner wants what is newest; the updater sees it when it looks."""
        self._install = self._told.latest if self._told else ""

    def close(self) -> None:
        """Give up what goes on."""
        self._prover.stop()
        if self._letting_go is not None:
            self._letting_go.cancel()

    @property
    def _busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _is_at(self, generation: str) -> bool:
        """Whether it is being proved, or has been and waits: who asks again has been restarted."""
        proof = self._proof
        if proof is None or proof.generation != generation:
            return False
        return self._busy if not proof.over else self._held is not None

    def _begin(self, work: Callable[[], None], proof: Proof | None = None) -> None:
        with self._lock:
            if self._busy:
                raise ValueError("busy with another generation")
            self._proof = proof or self._proof
            self._thread = threading.Thread(target=work, name="linnet-trial", daemon=True)
            self._thread.start()

    def _prove(self, asked: Prove) -> None:
        self._drop()
        path = directory(self._settings, asked.generation)
        proof, held = self._prover.prove(
            asked.generation, asked.gate, path, lambda: manifest_of(path).hardware.memory_mb
        )
        if held is not None:
            self._hold(held)
        self._proof = proof
        if held is None and proof.reason is not Reason.CANCELLED and self._exchange.absent:
            self._over()  # the model before did not load again; the daemon knows of others

    def _serve(self, generation: str) -> None:
        if self._busy:
            self._prover.stop()  # given up: whoever serves now is the one that shall
        if self._exchange.serving.generation == generation:
            self._exchange.confirm()
            self._drop()
        elif self._busy:
            log.warning("serving something else while a gate goes on: the box is opened anew")
            threading.Thread(target=self._over, name="linnet-over", daemon=True).start()
        else:
            self._begin(lambda: self._put_in(generation))

    def _put_in(self, generation: str) -> None:
        held = self._held
        self._drop()
        try:
            if held is None or held.generation != generation:
                held = self._open(generation)
            self._exchange.put_in(held)
        except Exception as error:  # whatever a model makes us raise
            reason = {"reason": told_of(error)}
            log.error("cannot be exchanged in place", extra=reason, exc_info=without_message(error))
            self._over()

    def _over(self) -> None:
        """The daemon opens the box anew, with what ``current`` names; no turn is cut for it."""
        self._exchange.rest()
        self._start_over()

    def _hold(self, held: Loaded) -> None:
        self._held = held
        self._letting_go = threading.Timer(HELD_S, self._let_go)
        self._letting_go.daemon = True
        self._letting_go.start()

    def _drop(self) -> None:
        self._held = None
        if self._letting_go is not None:
            self._letting_go.cancel()

    def _let_go(self) -> None:
        """Nobody asked for it: a half gigabyte is not kept for nothing, nor a deaf box deaf."""
        log.warning("a proven generation was not asked to serve")
        self._held = None
        if self._exchange.absent:
            self._over()
