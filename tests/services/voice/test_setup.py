"""What the settings make of the voice loop."""

from __future__ import annotations

from services.settings import Audio, Endpoint, Settings
from services.voice.setup import loop_config


def test_a_box_that_hears_its_own_speaker_is_not_interrupted_by_it() -> None:
    assert not loop_config(Settings()).interrupt_by_speech
    assert loop_config(Settings(audio=Audio(echo_free=True))).interrupt_by_speech


def test_endpointing_follows_the_settings() -> None:
    chosen = Endpoint(silence_ms=250, no_speech_s=7.5, longest_s=20.0)
    endpoint = loop_config(Settings(endpoint=chosen)).ear.endpoint
    assert endpoint.trailing_silence_ms == 250
    assert endpoint.complete_silence_ms == 250
    assert endpoint.no_speech_ms == 7_500
    assert endpoint.max_utterance_ms == 20_000
    patient = loop_config(Settings(endpoint=Endpoint(silence_ms=900))).ear.endpoint
    assert patient.complete_silence_ms < patient.trailing_silence_ms == 900


def test_the_controller_never_cuts_what_the_endpointer_still_allows() -> None:
    config = loop_config(Settings(endpoint=Endpoint(no_speech_s=30.0, longest_s=60.0)))
    assert config.dwell.waking_ms > config.ear.endpoint.no_speech_ms
    assert config.dwell.listening_ms > config.ear.endpoint.max_utterance_ms
