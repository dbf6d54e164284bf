"""The demo's own broker: the whole home through amqtt, without a warning."""

from __future__ import annotations

import logging
import threading

import pytest

from services.home.embedded_broker import EmbeddedBroker
from services.home.executor import Home
from services.home.simulated import SimulatedHome
from services.home.simulated_devices import DEVICES
from services.language.calls import Call
from tests.services.home.conftest import PATIENT_S, until_all_known
from tests.services.home.test_home import statuses


def test_the_whole_home_in_one_process(caplog: pytest.LogCaptureFixture) -> None:
    threads = set(threading.enumerate())
    caplog.set_level(logging.WARNING)
    with EmbeddedBroker() as broker, SimulatedHome(broker.address) as simulated:
        with Home(broker.address, timeout_s=PATIENT_S) as home:
            home.wait_connected(20)
            assert home.wait_quiet(10)
            until_all_known(home, simulated)
            assert len(home.view().entities) == len(DEVICES)
            outcome = home.execute(Call.of("HassTurnOn", domain="light"))
            assert set(statuses(outcome).values()) == {"confirmed"}
            assert len(outcome.results) == 8
            outcome = home.execute(Call.of("HassTurnOn", name="front door"))
            assert statuses(outcome) == {"front door": "confirmed"}
        assert simulated.state("front_door") == {"state": "LOCKED"}
    assert set(threading.enumerate()) == threads
    assert caplog.records == []


def test_two_brokers_and_starting_again() -> None:
    broker = EmbeddedBroker()
    with broker, EmbeddedBroker() as other:
        assert broker.address.port != other.address.port
    broker.stop()
    with EmbeddedBroker() as again, SimulatedHome(again.address) as simulated:
        assert simulated.state("bed_light")["state"] == "OFF"
