"""The whole box as the daemon opens it, where the bundle that shall serve is damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ota.generations import Generations
from services.bundles import shipped_bundle
from services.home.embedded_broker import free_port
from services.local_socket import ask
from services.settings import Model, Mqtt, Ota, Presence, Settings
from services.voice.box import open_box
from services.voice.trial.words import VoiceState
from tests.support.running import spoken
from tests.support.tiny_bundle import write_bundle

pytestmark = pytest.mark.skipif(
    not (shipped_bundle(Settings()) / "manifest.json").exists(),
    reason="the built-in bundle is not here",
)


@pytest.mark.parametrize(
    "damage",
    [
        lambda manifest: manifest.write_bytes(manifest.read_bytes()[:100]),
        lambda manifest: manifest.write_bytes(b"\xff" * 4096),
    ],
    ids=["cut short", "overwritten"],
)
def test_a_damaged_manifest_leaves_the_home_with_the_voice_before(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    generations = Generations(tmp_path / "models")
    good = generations.install(shipped_bundle(Settings()))
    bad = generations.install(write_bundle(tmp_path / "bad", "bad"))
    damage(bad.path / "manifest.json")
    voice = tmp_path / "voice.sock"
    settings = Settings(
        model=Model(generations=tmp_path / "models"),
        mqtt=Mqtt(port=free_port()),
        presence=Presence(announce=False),
        ota=Ota(repository="https://releases.example", voice_socket=voice),
    )
    box = open_box(settings, spoken(tmp_path / "heard.wav", 0.1))
    try:
        state = VoiceState.model_validate(ask(voice, {"do": "look"}))
        assert (state.serving, state.safe_mode) == (good.name, True)
    finally:
        box.loop.worker.close(2)
        box.close()
