"""From settings to a running voice: detectors, model, home, sound."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from device.sound.clock import MonotonicClock
from device.sound.files import DiscardingSink, FileSource, read_audio
from device.sound.frames import AudioSink
from device.sound.playback import PlaybackQueue
from device.sound.portaudio import PortAudio
from device.speech_activity import LEVELS, GatedActivity
from device.wake.micro_wakeword import MicroWakeWordDetector
from services.home.desk import Desk
from services.home.executor import Home
from services.home.presence.kept import Kept
from services.home.presence.link import Presence
from services.home.volume import Volume
from services.models import load_model
from services.settings import Endpoint, Settings
from services.spoken_replies import speak
from services.state_file import state_directory
from services.voice.appliance import RunningAppliance
from services.voice.bell import Bell
from services.voice.controller import Dwell
from services.voice.daemon import Box
from services.voice.ear import EarConfig
from services.voice.endpoint import EndpointConfig
from services.voice.families.base import SpeechModel
from services.voice.loop import HomePort, LoopConfig, VoiceLoop
from services.voice.microphone import Microphone
from services.voice.timeline import TimelineEvent
from services.voice.worker import Worker
from services.wiring import installed_model, kept_wishes, open_home, open_presence

log = logging.getLogger(__name__)

BACKSTOP_MS = 3_000  # the controller gives up this much later than the endpointer should have
SETTLE_S = 1.0  # in which the broker should have told of the devices it remembers


def loop_config(settings: Settings) -> LoopConfig:
    """The loop as the settings want it."""
    endpoint = _endpoint(settings.endpoint)
    dwell = Dwell(
        waking_ms=endpoint.no_speech_ms + BACKSTOP_MS,
        listening_ms=endpoint.max_utterance_ms + BACKSTOP_MS,
    )
    echo_free = settings.audio.echo_free
    return LoopConfig(EarConfig(endpoint), dwell, interrupt_by_speech=echo_free)


def _endpoint(chosen: Endpoint) -> EndpointConfig:
    defaults = EndpointConfig()
    return EndpointConfig(
        trailing_silence_ms=chosen.silence_ms,
        complete_silence_ms=min(defaults.complete_silence_ms, chosen.silence_ms),
        max_utterance_ms=int(chosen.longest_s * 1000),
        no_speech_ms=int(chosen.no_speech_s * 1000),
    )


def open_wake(settings: Settings) -> MicroWakeWordDetector:
    """The wake word of the settings."""
    return MicroWakeWordDetector(settings.wake.phrase, settings.wake.sensitivity)


def open_loop(
    settings: Settings,
    model: SpeechModel,
    home: HomePort,
    emit: Callable[[TimelineEvent], None] = lambda event: None,
    worker: Worker | None = None,
    wake: MicroWakeWordDetector | None = None,
    playback: PlaybackQueue | None = None,
    woken: Callable[[], None] = lambda: None,
) -> VoiceLoop:
    """The loop around a model and a home."""
    return VoiceLoop(
        model,
        home,
        wake or open_wake(settings),
        GatedActivity(LEVELS[settings.endpoint.aggressiveness]),
        config=loop_config(settings),
        playback=playback or PlaybackQueue(settings.audio.volume),
        emit=emit,
        worker=worker,
        woken=woken,
    )


def open_home_and_loop(
    settings: Settings,
    model: SpeechModel,
    emit: Callable[[TimelineEvent], None] = lambda event: None,
    folder: Path | None = None,
    wake: MicroWakeWordDetector | None = None,
    **extra: Any,
) -> tuple[Home, VoiceLoop]:
    """A home that rings through the loop that commands it; neither has been started.

    Args:
        folder: where timers, alarms and the volume are kept; None: nowhere.
        extra: goes to ``Home``.
    """
    playback = PlaybackQueue(settings.audio.volume)
    level = round(settings.audio.volume * 100)
    least = round(settings.audio.ring_volume * 100)
    volume = Volume(level, least_ringing=least, folder=folder, apply=playback.set_volume)
    desk = Desk(lambda chime: bell(chime), folder=folder, volume=volume)

    def told(event: TimelineEvent) -> None:
        if event.kind == "reply_text":
            desk.replied(str(event.data["text"]))
        emit(event)

    home = open_home(settings, desk=desk, observe=lambda step: loop.home_step(step), **extra)
    loop: VoiceLoop = open_loop(
        settings, model, home, told, wake=wake, playback=playback, woken=desk.hush
    )
    bell: Bell = Bell(loop, lambda outcome: speak(model, home.view(), outcome).pcm)
    return home, loop


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
        model = load_model(settings)
        folder = state_directory()
        if folder is None:
            log.info("timers and alarms are not kept: this is no service with a state directory")
        wake = open_wake(settings)
        home, loop = open_home_and_loop(settings, model, _report(settings), folder, wake)
        links: list[Callable[[], None]] = []
        opened.callback(_together, links)
        home.start()
        links.append(home.stop)
        if settings.presence.announce:
            links.append(_show(settings, loop, home, source, wake, kept).stop)
        _lay_out_soon(model, home, loop.worker)
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
) -> Presence:
    """Let Home Assistant see and command the box; started."""
    update = installed_model(settings)
    box = RunningAppliance(loop, source, wake, home.timers, home.desk.volume, kept, update)
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
