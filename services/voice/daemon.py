"""``linnet run``: the daemon of linnet-voice.service.

Opens what the settings name, runs the loop, and lives on: SIGHUP reads the settings and the owner's
map of the home again (wrong ones are refused and the old stay), a microphone that goes away is
waited for, the broker may come and go. SIGTERM ends it within two seconds. systemd hears READY once
sound is flowing, then a WATCHDOG from the hearing loop itself, so that a loop that hangs or a model
that is stuck is restarted.
"""

from __future__ import annotations

import argparse
import gc
import logging
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Generic, TypeVar

from device.errors import AudioError, DeviceError
from device.sound.frames import AudioSink, Frame, FrameSource
from services import logs, sdnotify
from services.exit_codes import ExitCode
from services.owner_map import with_owner_map
from services.settings import Settings
from services.settings_file import SettingsError
from services.voice.controller import State
from services.voice.loop import VoiceLoop

log = logging.getLogger(__name__)

STOP_S = 1.5  # of the two seconds that stopping may take
STUCK_S = 20.0  # a model that works this long on one thing hangs
RETRY_S = 2.0  # between attempts to find the microphone again
BEAT_S = 1.0  # between signs of life when systemd does not say how often

S = TypeVar("S")


@dataclass
class Box:
    """A loop with its ears and mouth."""

    loop: VoiceLoop
    source: FrameSource
    sink: AudioSink
    close: Callable[[], None] = lambda: None
    """Gives back what else was opened: sound system, home."""


class Daemon(Generic[S]):
    """Runs one box after another, until told to stop."""

    def __init__(self, load: Callable[[], S], open_box: Callable[[S], Box]) -> None:
        """
        Args:
            load: reads the settings; may raise SettingsError.
            open_box: opens everything; may raise DeviceError.
        """
        self._load = load
        self._open_box = open_box
        # Plain flags: a signal handler that takes a lock may meet itself holding it.
        self._stop = False
        self._reload = False
        self._loop: VoiceLoop | None = None

    def serve(self) -> int:
        """Run until SIGTERM or SIGINT.

        Raises:
            SettingsError, DeviceError: at the start; later ones are logged and survived.
        """
        self._watch_signals()
        settings = self._load()
        box = self._open_box(settings)
        while True:
            self._run(box)
            if self._stop:
                return ExitCode.OK
            if self._reload:
                settings = self._reloaded(settings)
            reopened = self._reopen(settings)
            if reopened is None:
                return ExitCode.OK
            box = reopened

    def stop(self, *_: object) -> None:
        self._stop = True
        if self._loop is not None:
            self._loop.stop()

    def reload(self, number: int = 0, frame: FrameType | None = None) -> None:
        self._reload = True
        if self._loop is not None:
            self._loop.stop()

    def _watch_signals(self) -> None:
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        signal.signal(signal.SIGHUP, self.reload)

    def _run(self, box: Box) -> None:
        self._loop = box.loop
        if self._stop or self._reload:  # the signal came while the box was opened
            box.loop.stop()
        try:
            box.loop.run(Watched(box.source, box.loop), box.sink)
        except AudioError as error:
            log.error("sound is gone", extra={"reason": str(error)})
        finally:
            self._loop = None
            if self._stop:
                sdnotify.notify("STOPPING=1", "STATUS=stopping")
            if not box.loop.worker.close(STOP_S):
                log.warning("the model did not stop in time")
            box.close()

    def _reloaded(self, settings: S) -> S:
        self._reload = False
        sdnotify.notify("RELOADING=1", f"MONOTONIC_USEC={int(time.monotonic() * 1e6)}")
        try:
            return self._load()
        except SettingsError as error:
            log.error("the new settings are refused, the old stay", extra={"reason": str(error)})
            return settings

    def _reopen(self, settings: S) -> Box | None:
        """Open again, as often as it takes; None when told to stop meanwhile."""
        while not self._stop:
            try:
                return self._open_box(settings)
            except DeviceError as error:
                log.error("cannot go on yet", extra={"reason": str(error)})
                sdnotify.notify("WATCHDOG=1", f"STATUS=waiting: {error}")
                self._pause()
        return None

    def _pause(self) -> None:
        until = time.monotonic() + RETRY_S
        while not self._stop and time.monotonic() < until:
            time.sleep(0.05)  # a signal does not end a sleep


class Watched:
    """A source that tells systemd of every second that was heard."""

    def __init__(self, source: FrameSource, loop: VoiceLoop) -> None:
        self._source = source
        self._loop = loop
        self._every = min(BEAT_S, (sdnotify.watchdog_s() or 2 * BEAT_S) / 2)

    def frames(self) -> Iterator[Frame]:
        due: float | None = None
        state: State | None = None
        for frame in self._source.frames():
            if due is None:
                sdnotify.notify("READY=1")
            if due is None or frame.t >= due or self._loop.state is not state:
                due, state = frame.t + self._every, self._loop.state
                self._beat(state)
            yield frame

    def close(self) -> None:
        self._source.close()

    def _beat(self, state: State) -> None:
        if self._loop.worker.stuck_s > STUCK_S:
            log.error("the model is stuck", extra={"seconds": round(self._loop.worker.stuck_s)})
            return
        sdnotify.notify("WATCHDOG=1", f"STATUS={state.value}")


def main(args: argparse.Namespace) -> int:
    """Run the daemon with ``args.config``, hearing ``args.input`` if given; an exit code."""
    from services.voice.box import open_box

    def load() -> Settings:
        settings = with_owner_map(Settings.load(args.config))
        logs.configure(settings.log.level, settings.log.format)
        return settings

    code = Daemon(load, partial(open_box, recording=args.input)).serve()
    gc.freeze()  # else the interpreter looks through the whole model before it ends
    return code
