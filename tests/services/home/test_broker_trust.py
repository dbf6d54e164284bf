"""TLS, passwords and rights against a real mosquitto: let in, or told why not in one line."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.home.broker import (
    RETRY_S,
    BrokerAddress,
    BrokerLink,
    BrokerRefused,
    BrokerUnreachable,
)
from services.home.executor import STATUS_TOPIC, Home
from services.home.simulated import BASE, SimulatedHome
from services.language.calls import Call
from tests.services.home.conftest import PATIENT_S, until_all_known
from tests.services.home.test_home import ON, by_name, statuses, until
from tests.support.certificates import Authority, authority, server
from tests.support.mosquitto import Mosquitto, mosquitto

# paho leaves the socket of a handshake that failed to the collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

USERS = {"linnet": "right", "devices": "also right"}


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("trusted"), "house")


@pytest.fixture
def encrypted(tmp_path: Path, trusted: Authority) -> Iterator[Mosquitto]:
    shown = server(tmp_path, trusted, "IP:127.0.0.1")
    with mosquitto(tmp_path, USERS, certificate=shown) as broker:
        broker.address = replace(
            broker.address,
            username="linnet",
            password="right",
            ca_file=str(trusted.certificate),
        )
        yield broker


def refusal(address: BrokerAddress, caplog: pytest.LogCaptureFixture) -> str:
    """What is told to who waits, after the log has told the same: once, through two attempts."""
    link = BrokerLink(address, lambda message: None)
    with caplog.at_level(logging.INFO, "services.home"):
        link.start()
        with pytest.raises(BrokerRefused) as caught:
            link.wait_connected(20)
        time.sleep(1.5 * RETRY_S[0])
        link.stop()
    told = str(caught.value)
    where = f"MQTT broker 127.0.0.1:{address.port}"
    why = told.removeprefix(f"{where} ")
    assert [record.getMessage() for record in caplog.records] == [
        f"{where}: connecting", f"{where}: {why}", f"{where}: stopped",
    ]  # fmt: skip
    return told


def test_a_home_works_through_tls_and_a_password(encrypted: Mosquitto) -> None:
    with (
        SimulatedHome(encrypted.address) as simulated,
        Home(encrypted.address, timeout_s=PATIENT_S) as home,
    ):
        home.wait_connected(20)
        until_all_known(home, simulated)
        assert statuses(home.execute(ON)) == {"standing light": "confirmed"}


def test_a_certificate_of_another_authority_is_not_trusted(
    encrypted: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = authority(tmp_path, "somebody")
    told = refusal(replace(encrypted.address, ca_file=str(other.certificate)), caplog)
    assert "certificate that is not trusted" in told
    assert f"127.0.0.1:{encrypted.address.port}" in told


def test_a_certificate_for_another_host_is_not_trusted(
    tmp_path: Path, trusted: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    shown = server(tmp_path, trusted, "DNS:elsewhere.example")
    with mosquitto(tmp_path, certificate=shown) as broker:
        told = refusal(replace(broker.address, ca_file=str(trusted.certificate)), caplog)
    assert "certificate that is not trusted: ip address mismatch" in told


def test_a_wrong_password_is_refused_through_tls_and_never_told(
    encrypted: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    told = refusal(replace(encrypted.address, password="wrong secret"), caplog)
    assert told.endswith("refused the connection: not authorized")
    assert "secret" not in caplog.text


def test_a_broker_without_tls_is_not_spoken_to_in_the_clear(
    tmp_path: Path, trusted: Authority
) -> None:
    with mosquitto(tmp_path) as broker:
        link = BrokerLink(
            replace(broker.address, ca_file=str(trusted.certificate)), lambda message: None
        )
        link.start()
        with pytest.raises(BrokerUnreachable):
            link.wait_connected(0.5)
        link.stop()


@pytest.fixture
def restricted(tmp_path: Path) -> Iterator[tuple[Mosquitto, SimulatedHome]]:
    """Linnet may neither command the standing light nor hear what the bed light says."""
    rights = "\n".join(
        [
            "user devices",
            "topic readwrite #",
            "user linnet",
            "topic readwrite #",
            f"topic deny {BASE}/standing_light/set",
            f"topic deny {BASE}/bed_light",
            "topic deny movie/set",
            f"topic deny {STATUS_TOPIC}",
        ]
    )
    with mosquitto(tmp_path, USERS, rights=rights) as broker:
        devices = replace(broker.address, username="devices", password="also right")
        with SimulatedHome(devices) as simulated:
            broker.address = replace(broker.address, username="linnet", password="right")
            yield broker, simulated


def test_what_the_broker_does_not_let_through_is_never_a_success(
    restricted: tuple[Mosquitto, SimulatedHome], caplog: pytest.LogCaptureFixture
) -> None:
    broker, simulated = restricted
    with Home(broker.address, timeout_s=2.0) as home, caplog.at_level(logging.WARNING):
        home.wait_connected(20)
        until(lambda: len(home.entities()) == len(simulated.devices))
        until(lambda: all(e.available(time.monotonic()) for e in home.entities()))
        until(lambda: by_name(home, "desk lamp").state.value == "off")
        assert statuses(home.execute(ON)) == {"standing light": "rejected"}
        assert statuses(home.execute(ON)) == {"standing light": "rejected"}
        where = f"MQTT broker 127.0.0.1:{broker.address.port}"
        assert [r.getMessage() for r in caplog.records] == [
            f"{where} does not let us publish on '{topic}': not authorized"
            for topic in (STATUS_TOPIC, f"{BASE}/standing_light/set")
        ]
        assert simulated.state("standing_light")["state"] == "OFF"
        bed = Call.of("HassTurnOn", name="bed light")
        assert statuses(home.execute(bed)) == {"bed light": "timeout"}
        assert simulated.state("bed_light")["state"] == "ON", "it moved, and nobody may say so"
        lamp = Call.of("HassTurnOn", name="desk lamp")
        assert statuses(home.execute(lamp)) == {"desk lamp": "confirmed"}


def test_a_scene_that_the_broker_keeps_from_us_was_not_set(
    restricted: tuple[Mosquitto, SimulatedHome],
) -> None:
    broker, simulated = restricted
    body = json.dumps({"name": "Movie", "command_topic": "movie/set"}).encode()
    devices = replace(broker.address, username="devices", password="also right")
    maker = BrokerLink(devices, lambda message: None, name="maker")
    maker.start()
    maker.wait_connected(20)
    with Home(broker.address, timeout_s=PATIENT_S) as home:
        maker.publish_state("homeassistant/scene/movie/config", body)
        until(lambda: len(home.entities()) == len(simulated.devices) + 1)
        movie = Call.of("HassTurnOn", name="movie")
        assert statuses(home.execute(movie)) == {"movie": "rejected"}
    maker.stop()
