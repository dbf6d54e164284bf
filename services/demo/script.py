"""What the demo plays and what must come of it: ``recordings/turns.json``, or the user's files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from device.sound.files import read_audio
from device.sound.frames import Pcm
from services.home.simulated_devices import DEVICES, SimulatedDevice

RECORDINGS = Path(__file__).resolve().parent / "recordings"

World = dict[str, dict[str, object]]
"""True states by device id, as the simulated home keeps them."""


@dataclass(frozen=True)
class Recording:
    """One file with one or more turns in it."""

    name: str
    pcm: Pcm
    """float32[n] at 16 kHz: the wake word, then a command."""
    said: str | None = None
    """The command's words; None in a user's own recording."""
    voice: str = "yours"
    expect: World | None = None
    """What must have changed afterwards, and nothing else may have; None: not known."""


@dataclass(frozen=True)
class Script:
    """A whole performance: the home as it stands before, and what it is told."""

    devices: Sequence[SimulatedDevice]
    recordings: Sequence[Recording]


def shipped() -> Script:
    """The recordings that came along."""
    body = json.loads((RECORDINGS / "turns.json").read_text(encoding="utf-8"))
    return Script(_furnished(body["initial"]), [_recording(turn) for turn in body["turns"]])


def from_files(paths: Sequence[Path]) -> Script:
    """A user's own recordings.

    Raises:
        AudioFileError: one of them cannot be used.
    """
    return Script(DEVICES, [Recording(path.name, read_audio(path)) for path in paths])


def _recording(turn: Mapping[str, object]) -> Recording:
    name = str(turn["recording"])
    expect = turn["expect"]
    if not isinstance(expect, dict):
        raise TypeError(f"turns.json: what {name} expects is not a table")
    pcm = read_audio(RECORDINGS / name)
    return Recording(name, pcm, str(turn["said"]), str(turn["voice"]), expect)


def _furnished(initial: Mapping[str, Mapping[str, object]]) -> tuple[SimulatedDevice, ...]:
    """The devices, some of them in another state than usual, so that turning off is seen."""
    return tuple(replace(d, initial={**d.initial, **initial.get(d.device_id, {})}) for d in DEVICES)
