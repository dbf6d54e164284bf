"""What the broker does not let through is known by its topic, whichever news comes first."""

from __future__ import annotations

import logging
import socket
import threading

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from services.home.broker import BrokerAddress, BrokerLink
from services.home.denied import MAX_EARLY, MAX_TOLD, Denied

YES = ReasonCode(PacketTypes.PUBACK, "Success")
NOBODY = ReasonCode(PacketTypes.PUBACK, "No matching subscribers")
NO = ReasonCode(PacketTypes.PUBACK, "Not authorized")


def test_a_message_is_denied_before_or_after_its_number_is_noted() -> None:
    denied = Denied("house:1883")
    assert not denied.published(1, "lamp/set")
    assert denied.acknowledged(1, NO) == "lamp/set"
    assert denied.acknowledged(2, NO) is None
    assert denied.published(2, "lock/set")
    assert denied.acknowledged(3, YES) is None
    assert not denied.published(3, "fan/set")
    assert not denied.published(4, "fan/set")
    assert denied.acknowledged(4, NOBODY) is None


def test_it_is_logged_once_for_each_topic_and_not_for_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    denied = Denied("house:1883")
    for mid in range(2 * MAX_TOLD):
        denied.published(mid, f"lamp{mid // 2}/set")
        denied.acknowledged(mid, NO)
    denied.asked(0, ["one", "two"])
    assert len(caplog.records) == MAX_TOLD
    assert caplog.records[0].getMessage() == (
        "MQTT broker house:1883 does not let us publish on 'lamp0/set': not authorized"
    )


def test_a_filter_that_is_refused_is_named(caplog: pytest.LogCaptureFixture) -> None:
    denied = Denied("house:1883")
    no = ReasonCode(PacketTypes.SUBACK, "Not authorized")
    denied.asked(7, ["lamps/#", "locks/#"])
    denied.subscribed(7, [ReasonCode(PacketTypes.SUBACK, "Granted QoS 1"), no])
    denied.subscribed(8, [no])
    denied.asked(8, ["doors/#"])
    assert [record.args[2] for record in caplog.records] == ["locks/#", "doors/#"]


def test_a_new_connection_begins_anew_and_answers_to_nothing_do_not_pile_up() -> None:
    denied = Denied("house:1883")
    denied.published(1, "lamp/set")
    denied.forget()
    for mid in range(1, 3 * MAX_EARLY):
        assert denied.acknowledged(mid, YES) is None
    assert len(denied._early) <= MAX_EARLY


class OldBroker:
    """Knows MQTT 3.1.1 alone, and says so, or hangs up."""

    def __init__(self, refusal: bytes) -> None:
        self._refusal = refusal
        self.levels: list[int] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = BrokerAddress(port=self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.close()
        self._thread.join(20)

    def _serve(self) -> None:
        for answer in (self._refusal, b"\x20\x02\x00\x00"):
            client, _ = self._server.accept()
            with client:
                connect = client.recv(1000)
                self.levels.append(connect[connect.index(b"MQTT") + 4])
                client.sendall(answer)
                while answer is not self._refusal and client.recv(1000):
                    pass


@pytest.mark.parametrize("refusal", [b"\x20\x02\x00\x01", b""])
def test_a_broker_of_the_older_protocol_is_spoken_to_in_it(
    refusal: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    broker = OldBroker(refusal)
    link = BrokerLink(broker.address, lambda message: None)
    with caplog.at_level(logging.INFO, "services.home"):
        link.start()
        link.wait_connected(20)
        link.stop()
    broker.stop()
    assert broker.levels == [5, 4]
    told = [record.getMessage().rpartition(": ")[2] for record in caplog.records]
    assert told == ["connecting", "connected", "stopped"]
