"""From settings to a voice loop: detectors, model, home."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from device.sound.playback import PlaybackQueue
from device.speech_activity import LEVELS, GatedActivity
from device.wake.micro_wakeword import MicroWakeWordDetector
from services.home.desk import Desk
from services.home.executor import Home
from services.home.volume import Volume
from services.settings import Endpoint, Settings
from services.spoken_replies import speak
from services.voice.bell import Bell
from services.voice.controller import Dwell
from services.voice.ear import EarConfig
from services.voice.endpoint import EndpointConfig
from services.voice.families.base import SpeechModel
from services.voice.loop import HomePort, LoopConfig, VoiceLoop
from services.voice.timeline import TimelineEvent
from services.voice.worker import Worker
from services.wiring import open_home

BACKSTOP_MS = 3_000  # the controller gives up this much later than the endpointer should have


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
    bell: Bell = Bell(loop, lambda outcome: speak(loop.model, home.view(), outcome).pcm)
    return home, loop
