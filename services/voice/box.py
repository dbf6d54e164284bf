"""The whole box that the daemon runs, opened from settings and closed together."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from device.sound.clock import MonotonicClock
from device.sound.files import DiscardingSink, FileSource, read_audio
from device.sound.frames import AudioSink
from device.sound.portaudio import PortAudio
from device.wake.micro_wakeword import MicroWakeWordDetector
from services.home.executor import Home
from services.home.presence.kept import Kept
from services.home.presence.link import Presence
from services.settings import Settings
from services.state_file import state_directory
from services.voice.appliance import RunningAppliance
from services.voice.daemon import Box
from services.voice.families.base import SpeechModel
from services.voice.loop import VoiceLoop
from services.voice.microphone import Microphone
from services.voice.setup import open_home_and_loop, open_wake
from services.voice.timeline import TimelineEvent
from services.voice.trial.desk import TrialDesk
from services.voice.trial.exchange import Exchange, TurnCount
from services.voice.trial.opening import open_serving
from services.voice.trial.setup import open_desk
from services.voice.worker import Worker
from services.wiring import kept_wishes, open_presence

log = logging.getLogger(__name__)

SETTLE_S = 1.0  # in which the broker should have told of the devices it remembers


def open_box(settings: Settings, recording: Path | None = None) -> Box:
    """Everything the daemon runs, from microphone to broker.

    Args:
        recording: is heard instead of the microphone, then silence; replies are not sounded.

    Raises:
        DeviceError: no sound, or no usable bundle; nothing stays open then.
    """
    with ExitStack() as opened:
        kept = kept_wishes(settings)
        source, sink = _sound(settings, recording, opened, muted=kept.wishes.mute)
        serving = open_serving(settings)
        folder = state_directory()
        if folder is None:
            log.info("timers and alarms are not kept: this is no service with a state directory")
        wake = open_wake(settings)
        turns = TurnCount()
        report = _report(settings)

        def emit(event: TimelineEvent) -> None:
            turns.add(event)
            report(event)

        home, loop = open_home_and_loop(settings, serving.model, emit, folder, wake)
        links: list[Callable[[], None]] = []
        opened.callback(_together, links)
        home.start()
        links.append(home.stop)
        exchange = Exchange(loop, serving, home.view, turns)
        desk = open_desk(settings, exchange, home.desk, opened)
        if settings.presence.announce:
            links.append(_show(settings, loop, home, source, wake, kept, desk).stop)
        _lay_out_soon(serving.model, home, loop.worker)
        return Box(loop, source, sink, opened.pop_all().close)


def _sound(
    settings: Settings, recording: Path | None, opened: ExitStack, *, muted: bool
) -> tuple[Microphone, AudioSink]:
    clock = MonotonicClock()
    if recording is not None:
        pcm = read_audio(recording)
        source = Microphone(lambda: FileSource(pcm, clock, lambda: True), clock, muted=muted)
        return source, DiscardingSink()
    audio = opened.enter_context(PortAudio())
    source = Microphone(lambda: audio.source(settings.audio.input), clock, muted=muted)
    opened.callback(source.close)
    return source, audio.sink(settings.audio.output)


def _show(
    settings: Settings,
    loop: VoiceLoop,
    home: Home,
    source: Microphone,
    wake: MicroWakeWordDetector,
    kept: Kept,
    desk: TrialDesk,
) -> Presence:
    """Let Home Assistant see and command the box; started."""
    box = RunningAppliance(
        loop, source, wake, home.timers, home.desk.volume, kept, desk.shown, desk.install
    )
    presence = open_presence(settings, box)
    presence.start()
    return presence


def _together(jobs: list[Callable[[], None]]) -> None:
    """Each leaves a broker that may not answer, which takes a second; stopping may take two."""
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _lay_out_soon(model: SpeechModel, home: Home, worker: Worker) -> None:
    """Lay out the home's sentences before the first command, which would have to wait for it.

    The waiting is done on a thread of its own: it must not hold up the worker's end.
    """

    def wait() -> None:
        if home.wait_quiet(SETTLE_S):
            worker.submit(lambda: _lay_out(model, home))

    threading.Thread(target=wait, name="lay-out", daemon=True).start()


def _lay_out(model: SpeechModel, home: Home) -> None:
    try:
        model.session(home.view()).cancel()
    except Exception as error:  # noqa: BLE001 - a worker's job may not raise; the turn will tell
        log.warning("the home is not laid out yet", extra={"error": type(error).__name__})


def _report(settings: Settings) -> Callable[[TimelineEvent], None]:
    """Turns in the log: times always, words only when the owner has switched that on."""

    def emit(event: TimelineEvent) -> None:
        fields: dict[str, object] = {"event": event.kind, "turn": event.turn_id, "ms": event.t_ms}
        if settings.privacy.log_transcripts and "text" in event.data:
            fields["personal"] = str(event.data["text"])
        log.info("turn", extra=fields)

    return emit
