"""What a fleet hears of one device over a real broker, and nudges."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ota.errors import Reason
from ota.machine import Ledger, Outcome, Result, begin, step
from ota.release import Facts
from ota.rollout import status
from ota.rollout.source import Assignment
from ota.rollout.status import GateResult, Inventory, OtaEvent, OtaState, Topics
from services.home.broker import BrokerLink, Message
from services.ota_agent.fleet_status import FleetStatus, Standing
from services.voice.trial.words import Proof
from tests.support.mosquitto import Mosquitto, mosquitto

TOPICS = Topics("home", "box-1")
FACTS = Facts(device_class="pc-x86-64", memory_mb=8000, app="0.1.0")


class Operator:
    """Hears all that the device says."""

    def __init__(self, broker: Mosquitto) -> None:
        self.heard: list[Message] = []
        self.link = BrokerLink(broker.address, self.heard.append, name="operator")
        self.link.subscribe(status.filters("home"))
        self.link.start()
        self.link.wait_connected(20)
        # Connected is not subscribed: what is heard of itself tells that it is.
        self.link.publish_state(Topics("home", "operator").of("online"), b"online")
        until(lambda: self.heard)

    def last(self, topic: str) -> bytes | None:
        return next((m.payload for m in reversed(self.heard) if m.topic == topic), None)

    def count(self, topic: str) -> int:
        return sum(message.topic == topic for message in self.heard)


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def operator(broker: Mosquitto) -> Iterator[Operator]:
    one = Operator(broker)
    yield one
    one.link.stop()


@pytest.fixture
def nudges() -> list[float]:
    return []


@pytest.fixture
def device(broker: Mosquitto, nudges: list[float]) -> Iterator[FleetStatus]:
    one = FleetStatus(
        broker.address, TOPICS, FACTS, lambda: (10**9, 1, 7), nudges.append, lambda: 1.7e9
    )
    one.start()
    until(lambda: one.connected)
    yield one
    one.stop()


def ledger(*outcomes: Outcome) -> Ledger:
    made = begin(Ledger(), Assignment("one", "models/pc-x86-64/1.2/release.json"))
    for outcome in outcomes:
        made = step(made, Result(outcome, Reason.MISFIT if outcome is Outcome.FAILED else None))
    return made


def standing(*outcomes: Outcome) -> Standing:
    running = ledger(*outcomes).model_copy(update={"running_counter": 3})
    return Standing.of(running, "000002-0123456789ab", None)


def test_how_it_stands_is_retained_and_told_once(device: FleetStatus, operator: Operator) -> None:
    until(lambda: operator.last(TOPICS.of("online")) == b"online")
    for _ in range(3):
        device.state(standing())
    device.state(standing(Outcome.DONE))
    until(lambda: operator.count(TOPICS.of("state")) == 2)
    found = status.parse(OtaState, operator.last(TOPICS.of("state")) or b"")
    assert (found.phase, found.wanted, found.counter) == ("downloading", "1.2", 3)
    inventory = status.parse(Inventory, operator.last(TOPICS.of("inventory")) or b"")
    assert (inventory.facts, inventory.root_version) == (FACTS, 1)
    assert operator.count(TOPICS.of("inventory")) == 1


def test_bytes_are_told_of_by_the_hundredth() -> None:
    shares = [Standing.of(ledger(Outcome.DONE), None, byte / 10**4) for byte in range(10**4)]
    assert len(set(shares)) <= 101


def test_steps_are_numbered_without_gaps(device: FleetStatus, operator: Operator) -> None:
    for outcomes in ((), (Outcome.DONE,), (Outcome.FAILED,)):
        update = ledger(*outcomes).update
        assert update is not None
        device.event(update, resumed=False)
    until(lambda: operator.count(TOPICS.of("event")) == 3)
    events = [m.payload for m in operator.heard if m.topic == TOPICS.of("event")]
    found = [status.parse(OtaEvent, payload) for payload in events]
    assert [event.seq for event in found] == [0, 1, 2]
    assert found[-1].reason is Reason.MISFIT


def test_a_gate_is_told_with_its_figures(device: FleetStatus, operator: Operator) -> None:
    update = ledger().update
    assert update is not None
    update = update.model_copy(update={"release": "1.2"})
    proof = Proof(
        generation="000002-0123456789ab", over=True, recognised=True, p95_ms=120, p95_before_ms=100
    )
    device.gate(update, proof)
    until(lambda: operator.count(TOPICS.of("gate")))
    found = status.parse(GateResult, operator.last(TOPICS.of("gate")) or b"")
    assert (found.ok, found.recognised) == (True, True)
    assert (found.p95_ms, found.p95_before_ms) == (120, 100)


def test_a_new_broker_is_told_everything_again(
    device: FleetStatus, broker: Mosquitto, operator: Operator
) -> None:
    device.state(standing())
    until(lambda: operator.count(TOPICS.of("state")))
    broker.kill()
    until(lambda: not device.connected)
    broker.start()
    until(lambda: device.connected)

    def told() -> bool:
        device.state(standing())
        return operator.count(TOPICS.of("state")) > 1

    until(told)


def test_nudges_for_the_device_and_its_class_are_hints_and_no_more(
    device: FleetStatus, operator: Operator, nudges: list[float]
) -> None:
    own, of_class = TOPICS.nudges("pc-x86-64")
    operator.link.publish(own, b'{"poll": true, "jitter_s": 5}')
    operator.link.publish(own, b'{"poll": true, "release": "6.6.6"')
    operator.link.publish(own, b"x" * 10_000)
    operator.link.publish(of_class, b'{"poll": true, "jitter_s": 60}')
    until(lambda: len(nudges) == 2)
    assert nudges == [5, 60]


def test_what_was_said_while_the_broker_was_away_is_no_fault(
    device: FleetStatus, broker: Mosquitto
) -> None:
    broker.kill()
    until(lambda: not device.connected)
    device.state(standing())
    update = ledger().update
    assert update is not None
    device.event(update, resumed=True)
