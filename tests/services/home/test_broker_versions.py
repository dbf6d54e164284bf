"""Which MQTT is spoken: the newer until a broker that never answered in it shows that it cannot."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading

import pytest

from services.home.broker import BrokerAddress, BrokerLink, BrokerRefused

HANGS_UP = b""
OLDER_WANTED = b"\x20\x02\x00\x01"
OLDER_PASSWORD = b"\x20\x02\x00\x05"
"""A refusal in the form of 3.1.1, which has no properties."""
OLDER_YES = b"\x20\x02\x00\x00"
PASSWORD = b"\x20\x03\x00\x87\x00"
YES = b"\x20\x03\x00\x00\x00"


class Broker:
    """Gives one answer to each connection, in turn, and keeps the last one open."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = answers
        self.levels: list[int] = []
        """The protocol each connection was begun in: 5, or 4 for 3.1.1."""
        self.served = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = BrokerAddress(port=self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.close()
        self._thread.join(20)

    def _serve(self) -> None:
        for number, answer in enumerate(self._answers, 1):
            client, _ = self._server.accept()
            with client:
                connect = client.recv(1000)
                self.levels.append(connect[connect.index(b"MQTT") + 4])
                client.sendall(answer)
                if number == len(self._answers):
                    self.served.set()
                    with contextlib.suppress(OSError):
                        while client.recv(1000):
                            pass


@pytest.mark.parametrize(
    ("refusals", "levels"),
    [
        ([OLDER_WANTED], [5, 4]),
        ([OLDER_PASSWORD], [5, 4]),
        ([HANGS_UP, HANGS_UP], [5, 5, 4]),
    ],
    ids=["says so", "answers in it", "hangs up"],
)
def test_a_broker_of_the_older_protocol_is_spoken_to_in_it(
    refusals: list[bytes], levels: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    broker = Broker(*refusals, OLDER_YES)
    link = BrokerLink(broker.address, lambda message: None)
    with caplog.at_level(logging.INFO, "services.home"):
        link.start()
        link.wait_connected(20)
        link.stop()
    broker.stop()
    assert broker.levels == levels
    told = [record.getMessage().rpartition(": ")[2] for record in caplog.records]
    assert told == ["connecting", "connected", "stopped"]


def test_a_broker_that_hung_up_once_is_still_spoken_to_in_the_newer() -> None:
    broker = Broker(HANGS_UP, YES)
    link = BrokerLink(broker.address, lambda message: None)
    link.start()
    link.wait_connected(20)
    link.stop()
    broker.stop()
    assert broker.levels == [5, 5]


def test_a_refused_password_says_nothing_against_the_newer_protocol() -> None:
    broker = Broker(PASSWORD, YES)
    link = BrokerLink(broker.address, lambda message: None)
    link.start()
    with pytest.raises(BrokerRefused, match="not authorized"):
        link.wait_connected(20)
    assert broker.served.wait(20)
    link.stop()
    broker.stop()
    assert broker.levels == [5, 5]


def test_a_password_refused_in_the_older_protocol_is_told_as_such() -> None:
    broker = Broker(OLDER_PASSWORD, OLDER_PASSWORD)
    link = BrokerLink(broker.address, lambda message: None)
    link.start()
    with pytest.raises(BrokerRefused, match="not authorized"):
        link.wait_connected(20)
    link.stop()
    broker.stop()
    assert broker.levels == [5, 4]
