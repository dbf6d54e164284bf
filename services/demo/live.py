"""The time line, printed while it happens, without making the hearing thread wait.

Threads tell their news a frame late and out of step, so lines are held for a moment and printed
in the order of their time. Milliseconds count from the last voiced sample of the command.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TextIO

from services.home.simulated import Received
from services.language.calls import Call
from services.voice.timeline import Kind, TimelineEvent

HOLD_S = 0.05

_NAMES: dict[Kind, str] = {
    "wake": "wake",
    "speech_end": "end of speech",
    "endpoint": "turn taken",
    "transcript": "transcript",
    "call": "function call",
    "command_sent": "MQTT command",
    "confirmed": "state confirmed",
    "first_audio": "first audio",
    "reply_text": "reply text",
    "interrupted": "interrupted",
    "turn_end": "end of turn",
}


class LiveTimeline:
    """A thread that prints; use as a context manager."""

    def __init__(self, out: TextIO, received: Callable[[str], Received | None]) -> None:
        """Args: received: the last command that reached a device, by entity id."""
        self._out = out
        self._received = received
        self._queue: queue.SimpleQueue[TimelineEvent | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="timeline", daemon=True)

    def put(self, event: TimelineEvent) -> None:
        self._queue.put(event)

    def __enter__(self) -> LiveTimeline:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Print what is left."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_ = True
        while open_:
            held = [self._queue.get()]
            threading.Event().wait(HOLD_S)
            while not self._queue.empty():
                held.append(self._queue.get())
            open_ = None not in held
            self._print([event for event in held if event is not None])

    def _print(self, events: list[TimelineEvent]) -> None:
        for event in sorted(events, key=lambda e: e.at_s):
            if event.kind in _NAMES:
                line = f"  {event.t_ms:+7.0f} ms  {_NAMES[event.kind]:16}{self._detail(event)}"
                self._out.write(line.rstrip() + "\n")
        self._out.flush()

    def _detail(self, event: TimelineEvent) -> str:
        if event.kind == "command_sent":
            return self._command(str(event.data["entity_id"]))
        if event.kind == "call":
            return call_text(event.data["call"])
        for key in ("text", "entity_id", "reason"):
            if key in event.data:
                return str(event.data[key])
        return ""

    def _command(self, entity_id: str) -> str:
        command = self._received(entity_id)
        if command is None:  # on its way still
            return entity_id
        return f"{command.topic} {command.payload.decode(errors='replace')}"


def call_text(call: object) -> str:
    """A call as one reads it; empty where there was none."""
    return call.line if isinstance(call, Call) else ""
