"""Twenty power cuts of the broker while commands are on their way."""

from __future__ import annotations

import itertools
import json
import threading
import time
from dataclasses import dataclass, field

import pytest

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
CONFIRMED_BETWEEN = 2
"""Commands that must succeed between two cuts: the home really works again each time."""


@dataclass
class Asker:
    """Somebody who turns one dimmer to and fro and looks at every outcome.

    No command is like the ones before it, so one that arrives twice is seen, and no state from
    before can be taken for its success.
    """

    home: Home
    name: str
    stop: threading.Event
    asked: list[int] = field(default_factory=list)
    outcomes: list[tuple[int, Outcome, float]] = field(default_factory=list)
    """Percent wished, what was told, and when it was asked."""

    def run(self) -> None:
        for percent in (37 * n % 100 + 1 for n in itertools.count()):
            if self.stop.is_set():
                return
            at_s = time.monotonic()
            call = Call.of("HassLightSet", name=self.name, brightness=percent)
            outcome = self.home.execute(call)
            if outcome.results:
                self.asked.append(percent)
            self.outcomes.append((percent, outcome, at_s))
            if outcome.error == "offline":
                self.stop.wait(0.01)

    @property
    def confirmed(self) -> list[tuple[int, float]]:
        return [
            (percent, at_s)
            for percent, outcome, at_s in self.outcomes
            if "confirmed" in statuses(outcome).values()
        ]


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
                before = [len(asker.confirmed) for asker in askers]
                until(lambda: all(
                    len(asker.confirmed) >= count + CONFIRMED_BETWEEN
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
            assert _in_order([p for p, _ in arrived], asker.asked), "late, twice or out of order"
            for percent, at_s in asker.confirmed:
                assert any(p == percent and at >= at_s for p, at in arrived), "a stale success"
        for name in ("bed light", "hallway light", "television", "front door"):
            assert statuses(home.execute(Call.of("HassTurnOn", name=name))) == {name: "confirmed"}


def _percent(topic: str, payload: bytes) -> int | None:
    if topic.endswith("/brightness/set"):
        return int(payload)
    body = json.loads(payload) if payload.startswith(b"{") else {}
    return round(body["brightness"] * 100 / 255) if "brightness" in body else None


def _in_order(some: list[int], every: list[int]) -> bool:
    """Whether ``some`` is ``every`` with items left out."""
    rest = iter(every)
    return all(item in rest for item in some)
