"""What a device says that it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.ota_agent import facts
from services.settings import Ota


@pytest.fixture
def orin(tmp_path: Path) -> dict[str, Path]:
    files = {
        "model": b"NVIDIA Jetson Orin Nano Developer Kit\x00",
        "l4t": b"# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic\n",
        "memory": b"MemTotal:        7802124 kB\nMemFree:          102 kB\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return {name: tmp_path / name for name in files}


def test_a_jetson_is_known_by_its_board(orin: dict[str, Path]) -> None:
    found = facts.facts(Ota(device_class="orin-nano-jp6"), **orin)
    assert found.board == "nvidia-jetson-orin-nano-developer-kit"
    assert (found.sm, found.l4t, found.memory_mb) == (87, "36.4.3", 7619)


def test_a_pc_has_none_of_that(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    found = facts.facts(Ota(), model=nowhere, l4t=nowhere)
    assert (found.board, found.sm, found.l4t, found.device_class) == ("pc", None, None, "pc-x86-64")
    assert found.memory_mb > 100


def test_its_name_in_the_fleet_tells_nothing_of_the_machine() -> None:
    assert facts.device_id(Ota(device_id="kitchen")) == "kitchen"
    assert facts.device_id(Ota()).startswith("linnet_")
