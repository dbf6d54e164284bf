from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.home.executor import Home
from services.home.simulated import SimulatedHome
from tests.support.mosquitto import Mosquitto, mosquitto


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
    with Home(broker.address, timeout_s=0.6) as running:
        running.wait_connected(5)
        assert running.wait_quiet(5, quiet_s=0.15)
        yield running
