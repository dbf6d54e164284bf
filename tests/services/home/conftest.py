from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.home.executor import Home
from services.home.simulated import SimulatedHome
from tests.support.mosquitto import Mosquitto, mosquitto

PATIENT_S = 15.0
"""Time-out where every device answers: never reached, however busy the machine is."""
TIMEOUT_S = 2.0
"""Time-out where a device never answers: short, since it is waited for."""


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
    with opened(broker, simulated, PATIENT_S) as running:
        yield running


@pytest.fixture
def hasty_home(broker: Mosquitto, simulated: SimulatedHome) -> Iterator[Home]:
    with opened(broker, simulated, TIMEOUT_S) as running:
        yield running


@contextlib.contextmanager
def opened(broker: Mosquitto, simulated: SimulatedHome, timeout_s: float) -> Iterator[Home]:
    with Home(broker.address, timeout_s=timeout_s) as running:
        running.wait_connected(20)
        until_all_known(running, simulated)
        yield running


def until_all_known(home: Home, simulated: SimulatedHome, timeout_s: float = 20.0) -> None:
    """Wait until every simulated device has been found, is there and has told its state."""
    deadline = time.monotonic() + timeout_s
    while True:
        now_s = time.monotonic()
        known = [e for e in home.entities() if e.heard_at_s is not None and e.available(now_s)]
        if len(known) == len(simulated.devices):
            return
        assert now_s < deadline, "the simulated home is not complete"
        time.sleep(0.01)
