"""From settings to running parts: the one place that knows both."""

from __future__ import annotations

import ssl
from typing import Any

from device.speech_activity import LEVELS, GatedActivity, SpeechActivity
from device.wake.detector import WakeDetector
from device.wake.micro_wakeword import MicroWakeWordDetector
from services.home.broker import BrokerAddress
from services.home.executor import Home
from services.settings import Endpoint, Mqtt, Settings
from services.settings_file import Problem, SettingsError
from services.voice.controller import Dwell
from services.voice.endpoint import EndpointConfig
from services.voice.loop import LoopConfig

BACKSTOP_MS = 3_000  # the controller gives up this much later than the endpointer should have


def broker_address(mqtt: Mqtt) -> BrokerAddress:
    """Where the broker is and how to log in; reads the password file.

    Raises:
        SettingsError: the password file or the certificate authority's file cannot be read.
    """
    return BrokerAddress(
        host=mqtt.host,
        port=mqtt.port,
        username=mqtt.username,
        password=_password(mqtt),
        ca_file=_authority(mqtt),
    )


def open_home(settings: Settings, **extra: Any) -> Home:
    """The home the settings name, not started yet; ``extra`` goes to ``Home``."""
    return Home(
        broker_address(settings.mqtt),
        here=settings.home.here,
        prefix=settings.mqtt.discovery_prefix,
        timeout_s=settings.mqtt.confirm_timeout_ms / 1000,
        ask_to_announce=settings.mqtt.ask_to_announce,
        **{"status_topic": f"{settings.mqtt.topic}/status", **extra},
    )


def open_wake(settings: Settings) -> WakeDetector:
    """The wake word the settings name, listening from now on."""
    return MicroWakeWordDetector(settings.wake.phrase, settings.wake.sensitivity)


def open_activity(settings: Settings) -> SpeechActivity:
    """The speech detector, as ready to take noise for silence as the settings say."""
    return GatedActivity(LEVELS[settings.endpoint.aggressiveness])


def loop_config(settings: Settings) -> LoopConfig:
    """How the voice loop behaves in this home."""
    endpoint = _endpoint(settings.endpoint)
    dwell = Dwell(
        waking_ms=endpoint.no_speech_ms + BACKSTOP_MS,
        listening_ms=endpoint.max_utterance_ms + BACKSTOP_MS,
    )
    return LoopConfig(endpoint=endpoint, dwell=dwell)


def _endpoint(settings: Endpoint) -> EndpointConfig:
    usual = EndpointConfig()
    return EndpointConfig(
        trailing_silence_ms=settings.silence_ms,
        complete_silence_ms=min(usual.complete_silence_ms, settings.silence_ms),
        max_utterance_ms=round(settings.longest_s * 1000),
        no_speech_ms=round(settings.no_speech_s * 1000),
    )


def _password(mqtt: Mqtt) -> str | None:
    if mqtt.password_file is None:
        return None
    try:
        with mqtt.password_file.open(encoding="utf-8") as file:
            return file.readline(1024).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "is not text"
        raise _fault("mqtt.password_file", str(mqtt.password_file), why) from error


def _authority(mqtt: Mqtt) -> str | None:
    if not mqtt.tls:
        return None
    chosen = str(mqtt.ca_file) if mqtt.ca_file else ssl.get_default_verify_paths().cafile
    if chosen is None:
        raise _fault("mqtt.ca_file", None, "this system has no list of its own; name a PEM file")
    try:
        ssl.create_default_context(cafile=chosen)
    except (OSError, ssl.SSLError) as error:
        why = f"cannot be used: {error.strerror or error}"
        raise _fault("mqtt.ca_file", chosen, why) from error
    return chosen


def _fault(key: str, value: str | None, why: str) -> SettingsError:
    return SettingsError([Problem("settings", None, key, value, why)])
