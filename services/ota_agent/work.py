"""Runs one effect at a time on a thread, which can be told to stop and is never waited for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from ota.errors import OtaError, Reason
from ota.machine import Effect, Outcome, Result, Update
from services.local_socket import SocketError

log = logging.getLogger(__name__)


class Stopped(Exception):
    """The work was abandoned."""


class Cancel:
    """Tells a piece of work to stop; ``on_cancel`` wakes what it waits in."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._wake: list[Callable[[], None]] = []

    def cancel(self) -> None:
        with self._lock:
            self._event.set()
            woken, self._wake = self._wake, []
        for wake in woken:
            wake()

    def on_cancel(self, wake: Callable[[], None]) -> None:
        """Call it when cancelled; at once where that has happened."""
        with self._lock:
            if not self._event.is_set():
                self._wake.append(wake)
                return
        wake()

    def sleep(self, seconds: float) -> None:
        """Raises Stopped as soon as it is cancelled."""
        if self._event.wait(seconds):
            raise Stopped


Do = Callable[[Effect, Update, Cancel], Result]


class ThreadedWorker:
    """See ``driver.Worker``."""

    def __init__(self, do: Do) -> None:
        self._do = do
        self._cancel = Cancel()
        self._result: Result | None = None

    def start(self, effect: Effect, update: Update) -> None:
        self.abandon()
        cancel = self._cancel = Cancel()
        log.info("begins", extra={"effect": effect.value, "release": update.release})

        def run() -> None:
            result = self._outcome(effect, update, cancel)
            if cancel is self._cancel:  # nobody has given it up meanwhile
                self._result = result

        threading.Thread(target=run, name=f"ota-{effect.value}", daemon=True).start()

    def poll(self) -> Result | None:
        return self._result

    def abandon(self) -> None:
        self._cancel.cancel()
        self._cancel, self._result = Cancel(), None

    def _outcome(self, effect: Effect, update: Update, cancel: Cancel) -> Result | None:
        try:
            return self._do(effect, update, cancel)
        except Stopped:
            return None
        except OtaError as error:
            log.warning("failed", extra={"effect": effect.value, "reason": str(error)[:300]})
            return Result(Outcome.FAILED, error.reason, str(error)[:500])
        except SocketError as error:
            log.warning("the voice daemon is gone", extra={"reason": str(error)})
            return Result(Outcome.FAILED, Reason.CRASH, "the voice daemon does not answer")
        except OSError as error:
            detail = f"{error.filename or effect.value}: {error.strerror}"
            return Result(Outcome.FAILED, Reason.DISK, detail[:500])
        except Exception as error:
            log.exception("a fault of our own")
            return Result(Outcome.FAILED, None, f"{effect.value}: {type(error).__name__}")
