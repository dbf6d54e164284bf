"""A simulated home on a real broker, and as tools."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.home.executor import Home
from services.home.simulated import SimulatedHome
from services.mcp.home_tools import HomeTools
from tests.services.home.conftest import PATIENT_S, opened
from tests.support.mosquitto import mosquitto


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with (
        mosquitto(tmp_path) as broker,
        SimulatedHome(broker.address) as simulated,
        opened(broker, simulated, PATIENT_S) as running,
    ):
        yield running


@pytest.fixture
def tools(home: Home) -> HomeTools:
    return HomeTools(home)
