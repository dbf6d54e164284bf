"""The worker's bounds and the order in which a turn's story is told."""

from __future__ import annotations

import threading

from services.voice.timeline import Timeline, TimelineEvent
from services.voice.worker import QUEUE_JOBS, ThreadWorker


def test_jobs_run_in_order() -> None:
    worker = ThreadWorker()
    seen: list[int] = []
    for n in range(50):
        assert worker.submit(lambda n=n: seen.append(n))
    done = threading.Event()
    worker.submit(done.set)
    assert done.wait(10)
    assert seen == list(range(50))
    assert worker.close(5.0)
    assert not worker.submit(done.set)


def test_a_full_queue_refuses_and_closing_forgets_it() -> None:
    worker = ThreadWorker()
    gate, started = threading.Event(), threading.Event()
    ran: list[int] = []

    def block() -> None:
        started.set()
        gate.wait(20)

    worker.submit(block)
    assert started.wait(10)
    taken = sum(worker.submit(lambda: ran.append(1)) for _ in range(QUEUE_JOBS + 10))
    assert taken == QUEUE_JOBS
    assert worker.pending == QUEUE_JOBS + 1
    assert worker.stuck_s > 0
    assert not worker.close(0.05)  # the running job does not end
    gate.set()
    assert worker.close(5.0)
    assert ran == []


def test_events_before_the_end_of_speech_are_held_and_counted_from_it() -> None:
    seen: list[TimelineEvent] = []
    line = Timeline(seen.append)
    line.mark(1, "wake", 10.0)
    line.mark(1, "speech_start", 10.5)
    assert seen == []
    line.mark(1, "speech_end", 12.0)
    line.mark(1, "call", 12.25, call="x")
    assert [(e.kind, e.t_ms) for e in seen] == [
        ("wake", -2000.0),
        ("speech_start", -1500.0),
        ("speech_end", 0.0),
        ("call", 250.0),
    ]
    assert seen[-1].data == {"call": "x"}


def test_a_turn_without_speech_is_told_at_its_end() -> None:
    seen: list[TimelineEvent] = []
    line = Timeline(seen.append)
    line.mark(3, "wake", 1.0)
    line.mark(3, "turn_end", 6.0, reason="no_speech")
    assert [(e.kind, e.t_ms) for e in seen] == [("wake", -5000.0), ("turn_end", 0.0)]
