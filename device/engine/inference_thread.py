"""The one thread that owns the GPU: every context, stream and address belongs to it.

A CUDA context is current to a thread, and TensorRT's execution contexts are not for two threads.
Callers on any thread hand their work over and wait; the context is pushed before each piece of work
and popped after it, also when it fails, so that none is left on a stack when the process ends.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from device.engine.cuda import Cuda
from device.errors import DeviceError, EngineRunError

log = logging.getLogger(__name__)

T = TypeVar("T")
CLOSE_S = 10.0


class InferenceThread:
    """Runs work on a thread of its own, one piece after the other, with the context current."""

    def __init__(self, cuda: Cuda) -> None:
        self.cuda = cuda
        # A SimpleQueue may be filled from a finaliser, whatever that interrupted.
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="linnet-gpu", daemon=True)
        self._lock = threading.Lock()
        self._closed = False
        self._thread.start()

    def call(self, work: Callable[..., T], *args: Any) -> T:
        """Do it there, wait, and give back or raise what it gave or raised.

        Raises:
            EngineRunError: the thread was closed.
        """
        if threading.current_thread() is self._thread:
            return work(*args)
        future: Future[T] = Future()

        def job() -> None:
            try:
                future.set_result(self._current(work, *args))
            except BaseException as error:  # noqa: BLE001  # it is the caller's
                future.set_exception(error)

        with self._lock:  # nothing may be queued behind the end, where nobody would answer
            if self._closed:
                raise EngineRunError("GPU", "was closed", "open the engine again")
            self._work.put(job)
        return future.result()

    def later(self, work: Callable[[], None]) -> None:
        """Do it there when there is time, without waiting; safe in a finaliser.

        Work that comes after the end is dropped.
        """

        def job() -> None:
            try:
                self._current(work)
            except DeviceError as error:  # of work nobody waits for
                log.error("GPU: %s", error)

        self._work.put(job)

    def close(self) -> None:
        """Finish what was handed over and end. Safe to call twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._work.put(None)
        self._thread.join(CLOSE_S)

    def _current(self, work: Callable[..., T], *args: Any) -> T:
        self.cuda.push()
        try:
            return work(*args)
        finally:
            self.cuda.pop()

    def _serve(self) -> None:
        while (job := self._work.get()) is not None:
            job()
            del job  # else what it worked on lives until the next one comes
