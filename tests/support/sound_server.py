"""A private PulseAudio server whose loudspeaker is wired to its microphone.

It runs on a socket of its own under a temporary directory, touches no sound card and no user
session, and is stopped by its process id. ALSA reaches it through an ``asoundrc`` of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ASOUNDRC = """
</usr/share/alsa/alsa.conf>
pcm.pulse {{ type pulse server "unix:{socket}" }}
ctl.pulse {{ type pulse server "unix:{socket}" }}
pcm.!default {{ type pulse server "unix:{socket}" }}
ctl.!default {{ type pulse server "unix:{socket}" }}
"""


class NoSoundServer(Exception):
    """PulseAudio cannot be run on this machine; the text says why."""


def plugin_directory() -> Path:
    """Where ALSA keeps its plug-ins; raises NoSoundServer when the PulseAudio one is missing."""
    for folder in Path("/usr/lib").glob("*/alsa-lib"):
        if (folder / "libasound_module_pcm_pulse.so").exists():
            return folder
    raise NoSoundServer("libasound2-plugins is not installed")


@contextmanager
def sound_server(folder: Path) -> Iterator[dict[str, str]]:
    """Run the server; yields the environment in which a program finds it as its sound card."""
    if shutil.which("pulseaudio") is None:
        raise NoSoundServer("pulseaudio is not installed")
    plugin_directory()
    socket = folder / "pulse.sock"
    env = dict(os.environ, HOME=str(folder), XDG_RUNTIME_DIR=str(folder), **_client(folder, socket))
    process = subprocess.Popen(_command(socket), env=env, stderr=subprocess.PIPE, text=True)
    try:
        _wait(process, socket)
        yield env
    finally:
        process.terminate()
        process.communicate(timeout=10)


def _client(folder: Path, socket: Path) -> dict[str, str]:
    config = folder / "asound.conf"
    config.write_text(ASOUNDRC.format(socket=socket), encoding="utf-8")
    return {"ALSA_CONFIG_PATH": str(config), "PULSE_SERVER": f"unix:{socket}"}


def _command(socket: Path) -> list[str]:
    return [
        "pulseaudio",
        "-n",
        "--daemonize=no",
        "--system=false",
        "--exit-idle-time=-1",
        "--use-pid-file=no",
        "--disable-shm=yes",
        "--load=module-null-sink sink_name=room rate=16000 channels=1",
        f"--load=module-native-protocol-unix auth-anonymous=1 socket={socket}",
    ]


def _wait(process: subprocess.Popen[str], socket: Path) -> None:
    for _ in range(100):
        if socket.exists():
            return
        if process.poll() is not None:
            raise NoSoundServer(f"pulseaudio ended with {process.returncode}")
        time.sleep(0.05)
    raise NoSoundServer("pulseaudio did not open its socket in 5 s")
