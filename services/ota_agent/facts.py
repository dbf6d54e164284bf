"""What this device is, to be held against a release; nothing here tells who owns it."""

from __future__ import annotations

import re
from pathlib import Path

from device.bundle import RUNTIME_VERSION
from ota.release import Facts
from services.home.presence.identity import object_id
from services.settings import Ota

MODEL = Path("/proc/device-tree/model")
L4T = Path("/etc/nv_tegra_release")
MEMORY = Path("/proc/meminfo")
_SM = {"orin": 87, "xavier": 72, "thor": 110}
"""GPU of a module, by a word of its board's name: the updater may not touch the GPU itself."""


def facts(settings: Ota, model: Path = MODEL, l4t: Path = L4T, memory: Path = MEMORY) -> Facts:
    """This machine's, from the files in which the kernel and JetPack tell of it."""
    board = _board(_text(model))
    return Facts(
        device_class=settings.device_class,
        board=board,
        sm=next((sm for word, sm in _SM.items() if word in board), None),
        l4t=_l4t(_text(l4t)),
        memory_mb=_memory_mb(_text(memory)),
        app=RUNTIME_VERSION,
    )


def device_id(settings: Ota) -> str:
    """Its name in the fleet."""
    return settings.device_id or object_id()


def _board(model: str) -> str:
    """``NVIDIA Jetson Orin Nano Developer Kit`` → ``nvidia-jetson-orin-nano-developer-kit``."""
    words = re.findall(r"[a-z0-9]+", model.lower())
    return "-".join(words)[:64] or "pc"


def _l4t(text: str) -> str | None:
    """``# R36 (release), REVISION: 4.3`` → ``36.4.3``."""
    found = re.search(r"R(\d+) \(release\), REVISION: (\d+(?:\.\d+)?)", text)
    return f"{found[1]}.{found[2]}" if found else None


def _memory_mb(text: str) -> int:
    found = re.search(r"^MemTotal:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) >> 10 if found else 0


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(4096).decode("utf-8", "replace").rstrip("\x00\n")
    except OSError:
        return ""
