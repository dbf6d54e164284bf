"""A box in a room: its microphone hears the person, and its own loudspeaker as well."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running import FAMILY, spoken
from tests.support.sound_server import NoSoundServer, sound_server
from tests.support.terminal import ROOT

pytestmark = [pytest.mark.audio, pytest.mark.slow]
COMMAND = ("talk", "--microphone", "--simulated")
LISTEN_S = 14.0


@pytest.fixture
def room(tmp_path: Path) -> Iterator[dict[str, str]]:
    if importlib.util.find_spec("pyaudio") is None:
        pytest.skip("PyAudio is not installed (extra: audio)")
    if shutil.which("paplay") is None:
        pytest.skip("paplay is not installed (package pulseaudio-utils)")
    try:
        with sound_server(tmp_path) as env:
            yield dict(env, PYTHONPATH=str(ROOT), LINNET_CONFIG="", PYTHONUNBUFFERED="1")
    except NoSoundServer as reason:
        pytest.skip(str(reason))


def test_it_hears_a_person_and_does_not_answer_itself(room: dict[str, str], tmp_path: Path) -> None:
    said = spoken(tmp_path / "said.wav", 0.5, "bed-light.wav")
    with subprocess.Popen(
        [sys.executable, "-m", "services.cli", *COMMAND, "--family", FAMILY],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # ALSA tells it everything
        text=True,
        cwd=tmp_path,
        env=room,
    ) as talk:
        assert talk.stdout is not None
        for line in talk.stdout:
            if line.startswith("say "):
                break
        threading.Timer(LISTEN_S, talk.send_signal, [signal.SIGINT]).start()
        subprocess.run(["paplay", str(said)], env=room, check=True)
        told = talk.stdout.read().split("\n")
        assert talk.wait(timeout=30) == 0
    [heard] = [line for line in told if line.startswith("> ")]
    assert heard in {"> turn on the bed light", "> turn on bed light"}
    assert any("the bed light is on" in line for line in told)
