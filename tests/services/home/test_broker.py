"""The connection: what it does when the broker is absent, says no, dies and comes back."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.home.broker import (
    MAX_PAYLOAD_BYTES,
    BrokerAddress,
    BrokerLink,
    BrokerRefused,
    BrokerUnreachable,
    LinkState,
    Message,
    PublishFailed,
)
from services.home.embedded_broker import free_port
from services.home.executor import STATUS_TOPIC, Home
from services.home.simulated import BASE, Fault, SimulatedHome
from services.language.calls import Call
from tests.services.home.conftest import PATIENT_S, until_all_known
from tests.services.home.test_home import ON, by_name, statuses, until
from tests.support.mosquitto import Mosquitto, mosquitto


class Ear:
    """A link that keeps what it hears."""

    def __init__(self, address: BrokerAddress, *filters: str, status_topic: str | None = None):
        self.heard: list[Message] = []
        self.states: list[LinkState] = []
        self.link = BrokerLink(
            address, self.heard.append, self.states.append, name="ear", status_topic=status_topic
        )
        self.link.subscribe(filters)
        self.link.start()

    def payloads(self, topic: str) -> list[bytes]:
        return [m.payload for m in self.heard if m.topic == topic]


@pytest.fixture
def ear(broker: Mosquitto) -> Iterator[Ear]:
    one = Ear(broker.address, "#")
    one.link.wait_connected(20)
    yield one
    one.link.stop()


def test_no_broker_is_said_at_once_and_stopping_is_quick() -> None:
    address = BrokerAddress(port=free_port())
    ear = Ear(address)
    with pytest.raises(BrokerUnreachable, match=f"127.0.0.1:{address.port}"):
        ear.link.wait_connected(0.3)
    assert ear.link.state is LinkState.CONNECTING
    with pytest.raises(BrokerUnreachable):
        ear.link.publish("a", b"b")
    began = time.monotonic()
    ear.link.stop()
    assert time.monotonic() - began < 2
    assert ear.link.state is LinkState.STOPPED


def test_somebody_who_does_not_speak_mqtt() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ear = Ear(BrokerAddress(port=server.getsockname()[1]))
        with pytest.raises(BrokerUnreachable):
            ear.link.wait_connected(0.3)
        ear.link.stop()


@pytest.mark.parametrize("password", [None, "wrong"])
def test_wrong_credentials_are_refused_and_never_told(tmp_path: Path, password: str | None) -> None:
    with mosquitto(tmp_path, {"linnet": "right"}) as broker:
        user = None if password is None else "linnet"
        ear = Ear(replace(broker.address, username=user, password=password))
        with pytest.raises(BrokerRefused, match="not auth") as caught:
            ear.link.wait_connected(20)
        assert "wrong" not in str(caught.value)
        assert ear.link.state is LinkState.REFUSED
        ear.link.stop()


def test_right_credentials_are_let_in(tmp_path: Path) -> None:
    with mosquitto(tmp_path, {"linnet": "right"}) as broker:
        address = replace(broker.address, username="linnet", password="right")
        assert "right" not in repr(address)
        ear = Ear(address)
        ear.link.wait_connected(20)
        ear.link.stop()


def test_small_packets_are_not_held_back(ear: Ear) -> None:
    sock = ear.link._client.socket()
    assert sock is not None
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_payloads_that_are_too_large_are_not_handed_on(broker: Mosquitto, ear: Ear) -> None:
    ear.link.publish("big", b"x" * (MAX_PAYLOAD_BYTES + 1))
    ear.link.publish("fits", b"x" * MAX_PAYLOAD_BYTES)
    until(lambda: ear.payloads("fits"))
    assert ear.payloads("big") == []


def test_topics_that_cannot_be_published_to_are_refused(ear: Ear) -> None:
    with pytest.raises(PublishFailed):
        ear.link.publish("a/#", b"x")


def test_a_fault_of_ours_does_not_leave_us_deaf(
    broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[bytes] = []

    def clumsy(message: Message) -> None:
        heard.append(message.payload)
        int(message.payload)

    link = BrokerLink(broker.address, clumsy)
    link.subscribe(["t"])
    link.start()
    link.wait_connected(20)
    link.publish("t", b"secret")
    link.publish("t", b"1")
    until(lambda: b"1" in heard)
    link.stop()
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text


def test_presence_is_retained_and_told_by_the_last_will(broker: Mosquitto, ear: Ear) -> None:
    home = Home(broker.address)
    home.start()
    home.wait_connected(20)
    until(lambda: ear.payloads(STATUS_TOPIC) == [b"online"])
    home.stop()
    until(lambda: ear.payloads(STATUS_TOPIC) == [b"online", b"offline"])
    # Without a farewell the broker speaks for the dead: a client whose socket just closes.
    ghost = BrokerLink(broker.address, lambda m: None, name="ghost", status_topic="ghost")
    ghost.start()
    ghost.wait_connected(20)
    until(lambda: ear.payloads("ghost") == [b"online"])
    sock = ghost._client.socket()
    assert sock is not None
    sock.shutdown(socket.SHUT_RDWR)
    until(lambda: b"offline" in ear.payloads("ghost"))
    ghost.stop()


def test_a_broker_that_dies_mid_command_and_comes_back(
    broker: Mosquitto, simulated: SimulatedHome
) -> None:
    with Home(broker.address, timeout_s=PATIENT_S) as home:
        home.wait_connected(20)
        until_all_known(home, simulated)
        simulated.set_fault("standing_light", Fault(silent=True))
        killer = threading.Thread(target=lambda: (until(lambda: simulated.commands), broker.kill()))
        killer.start()
        began = time.monotonic()
        outcome = home.execute(ON)
        assert time.monotonic() - began < PATIENT_S / 2, "no use waiting for a broker that is gone"
        assert statuses(outcome) == {"standing light": "timeout"}
        killer.join()
        until(lambda: not home.connected)
        assert home.execute(ON).error == "offline"
        assert home.execute(Call.of("HassGetState", name="ecobee")).error == "offline"
        assert home.view().entities, "names stay known"
        assert by_name(home, "ecobee").state.value is None, "states do not"

        simulated.set_fault("standing_light", Fault())
        broker.start()
        until(lambda: home.connected)
        until(lambda: by_name(home, "standing light").available(time.monotonic()))
        assert statuses(home.execute(ON)) == {"standing light": "confirmed"}
        commands = [c for c in simulated.commands if c.device_id == "standing_light"]
        assert len(commands) == 2, "what was asked while it was gone is not sent late"


def test_what_was_not_acknowledged_is_never_sent_late(broker: Mosquitto) -> None:
    ear = Ear(broker.address, "cmd/#")
    ear.link.wait_connected(20)
    # These still find the connection open: they are the dangerous ones.
    broker.freeze()
    for _ in range(5):
        ear.link.publish("cmd/lamp", b"ON")
    broker.kill()
    until(lambda: not ear.link.connected)
    broker.start()
    until(lambda: ear.link.connected)
    ear.link.publish("cmd/end", b"")
    until(lambda: ear.payloads("cmd/end"))
    assert ear.payloads("cmd/lamp") == []
    assert ear.states.count(LinkState.CONNECTED) == 2
    ear.link.stop()


def test_filters_added_while_away_are_subscribed_on_return(broker: Mosquitto) -> None:
    ear = Ear(broker.address, "a")
    ear.link.wait_connected(20)
    broker.kill()
    until(lambda: not ear.link.connected)
    ear.link.subscribe(["b"])
    ear.link.unsubscribe(["a"])
    broker.start()
    until(lambda: ear.link.connected)
    for topic in ("a", "b"):
        ear.link.publish(topic, b"x")
    until(lambda: ear.payloads("b"))
    assert ear.payloads("a") == []
    ear.link.stop()


def test_devices_that_do_not_retain_are_asked_when_wished(broker: Mosquitto, ear: Ear) -> None:
    with Home(broker.address, ask_to_announce=True) as home:
        home.wait_connected(20)
        until(lambda: ear.payloads("homeassistant/status") == [b"online"])
    assert BASE not in {m.topic for m in ear.heard}
