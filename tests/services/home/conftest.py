from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.home.executor import Home
from services.home.simulated import SimulatedHome
from tests.support.mosquitto import Mosquitto, mosquitto

TIMEOUT_S = 1.5
"""For confirmations: long enough for a busy machine, short enough for devices that never answer."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def simulated(broker: Mosquitto) -> Iterator[SimulatedHome]:
    with SimulatedHome(broker.address) as running:
        yield running


@pytest.fixture
def home(broker: Mosquitto, simulated: SimulatedHome) -> Iterator[Home]:
    with Home(broker.address, timeout_s=TIMEOUT_S) as running:
        running.wait_connected(5)
        until_all_known(running, simulated)
        yield running


def until_all_known(home: Home, simulated: SimulatedHome, timeout_s: float = 20.0) -> None:
    """Wait until every simulated device has been found and has told its state."""
    deadline = time.monotonic() + timeout_s
    while sum(e.heard_at_s is not None for e in home.entities()) < len(simulated.devices):
        assert time.monotonic() < deadline, "the simulated home is not complete"
        time.sleep(0.01)
