"""Where the model's work is done: a thread of its own with a bounded queue, or right here.

The hearing thread must never wait for a model or a broker. Tests and fast replays use
:class:`InlineWorker`, which makes the whole loop deterministic.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Protocol

Job = Callable[[], None]
"""Must not raise: the runner turns a fault into a note."""

QUEUE_JOBS = 512  # 12 s of speech in 40 ms pieces, and room to spare


class Worker(Protocol):
    """Runs jobs one after the other, in the order they were given."""

    def submit(self, job: Job) -> bool:
        """Queue a job; False when the queue is full or the worker is closed."""

    @property
    def pending(self) -> int:
        """Jobs queued or running."""

    @property
    def stuck_s(self) -> float:
        """How long the running job has been running; 0 when idle."""

    def close(self, timeout_s: float) -> bool:
        """Take no more jobs, forget those queued, wait for the running one; whether it ended."""


class InlineWorker:
    """Runs each job at once, in the caller's thread."""

    pending = 0
    stuck_s = 0.0

    def submit(self, job: Job) -> bool:
        job()
        return True

    def close(self, timeout_s: float) -> bool:
        return True


class ThreadWorker:
    """Runs jobs in one background thread."""

    def __init__(self, name: str = "linnet-model") -> None:
        self._queue: queue.Queue[Job | None] = queue.Queue(QUEUE_JOBS)
        self._lock = threading.Lock()
        self._pending = 0
        self._since: float | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> bool:
        with self._lock:
            if self._closed:
                return False
            try:
                self._queue.put_nowait(job)
            except queue.Full:
                return False
            self._pending += 1
            return True

    @property
    def pending(self) -> int:
        return self._pending

    @property
    def stuck_s(self) -> float:
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def close(self, timeout_s: float) -> bool:
        with self._lock:
            self._closed = True
            while True:
                try:
                    self._queue.get_nowait()
                except queue.Empty:
                    break
            self._queue.put_nowait(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            self._since = time.monotonic()
            try:
                job()
            finally:
                self._since = None
                with self._lock:
                    self._pending -= 1
