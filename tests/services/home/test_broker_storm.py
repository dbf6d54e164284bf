"""Twenty power cuts of the broker while commands are on their way."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from services.home.broker import RETRY_S
from services.home.executor import Home
from services.home.rate_limit import RateLimit
from services.home.safety import Safety
from services.home.simulated import SimulatedHome
from services.language.calls import Call
from services.language.outcome import Outcome
from tests.services.home.conftest import PATIENT_S, until_all_known
from tests.services.home.test_home import by_name, statuses, until
from tests.support.mosquitto import Mosquitto

CUTS = 20
LATE_S = 0.75 * RETRY_S[0]
"""Later than this after its outcome, a command can only have come by the next connection."""
CONFIRMED_BETWEEN = 2
"""Commands that must succeed between two cuts: the home really works again each time."""


@dataclass(frozen=True)
class Told:
    """One command: percent wished, what became of it, and when it was asked and told."""

    percent: int
    outcome: Outcome
    asked_s: float
    told_s: float

    @property
    def confirmed(self) -> bool:
        return "confirmed" in statuses(self.outcome).values()


@dataclass
class Asker:
    """Somebody who turns one dimmer to and fro and looks at every outcome.

    No command is like the ones before it, so one that arrives twice is seen, and no state from
    before can be taken for its success.
    """

    home: Home
    name: str
    stop: threading.Event
    told: list[Told] = field(default_factory=list)

    def run(self) -> None:
        for percent in (37 * n % 100 + 1 for n in itertools.count()):
            if self.stop.is_set():
                return
            at_s = time.monotonic()
            call = Call.of("HassLightSet", name=self.name, brightness=percent)
            outcome = self.home.execute(call)
            self.told.append(Told(percent, outcome, at_s, time.monotonic()))
            if not self.told[-1].confirmed:
                self.stop.wait(0.01)

    @property
    def confirmed(self) -> int:
        return sum(one.confirmed for one in self.told)


@pytest.mark.slow
def test_twenty_power_cuts_under_load(broker: Mosquitto, simulated: SimulatedHome) -> None:
    safety = Safety(limit=RateLimit(burst=10_000, per_s=1.0))
    with Home(broker.address, timeout_s=PATIENT_S, safety=safety) as home:
        home.wait_connected(20)
        until_all_known(home, simulated)
        stop = threading.Event()
        askers = [Asker(home, name, stop) for name in ("standing light", "desk lamp")]
        threads = [threading.Thread(target=asker.run) for asker in askers]
        for thread in threads:
            thread.start()
        try:
            for cut in range(CUTS):
                before = [asker.confirmed for asker in askers]
                until(lambda: all(
                    asker.confirmed >= count + CONFIRMED_BETWEEN
                    for asker, count in zip(askers, before, strict=True)  # noqa: B023
                ))  # fmt: skip
                broker.kill()
                broker.start()
                until(lambda: home.connected)
                until_all_known(home, simulated)
                # A reading from after the cut: the subscriptions are there, not only the memory.
                simulated.change("ecobee", state=cut)
                until(lambda: by_name(home, "ecobee").state.value == f"{cut} degrees")  # noqa: B023
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        for asker, device_id in zip(askers, ("standing_light", "desk_lamp"), strict=True):
            arrived = [
                (percent, c.at_s)
                for c in simulated.commands
                if c.device_id == device_id
                and (percent := _percent(c.topic, c.payload)) is not None
            ]
            _each_arrived_once_and_in_time(arrived, asker.told)
        for name in ("bed light", "hallway light", "television", "front door"):
            assert statuses(home.execute(Call.of("HassTurnOn", name=name))) == {name: "confirmed"}


def _percent(topic: str, payload: bytes) -> int | None:
    if topic.endswith("/brightness/set"):
        return int(payload)
    body = json.loads(payload) if payload.startswith(b"{") else {}
    return round(body["brightness"] * 100 / 255) if "brightness" in body else None


def _each_arrived_once_and_in_time(
    arrived: Sequence[tuple[int, float]], told: Sequence[Told]
) -> None:
    """Every arrival belongs to a command of its own, in order; every success has its arrival."""
    rest = iter(told)
    seen: set[int] = set()
    for percent, at_s in arrived:
        one = next((t for t in rest if t.percent == percent and at_s < t.told_s + LATE_S), None)
        assert one is not None, "late, twice or out of order"
        assert one.asked_s <= at_s, "late, twice or out of order"
        seen.add(id(one))
    assert all(id(one) in seen for one in told if one.confirmed), "a stale success"
