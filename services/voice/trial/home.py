"""The home of the self-test: simulated devices in memory that do as they are told.

It is connected to nothing. Whatever a release on trial makes of the test's sentence, no device of
the owner's can move.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from services.home import discovery
from services.home.desk import Desk
from services.home.entities import Registry
from services.home.functions import answer
from services.home.resolver import DEVICE_CALLS, resolve
from services.home.simulated import BASE, BRIDGE
from services.home.simulated_devices import DEVICES
from services.language.calls import Call
from services.language.homeview import HomeView
from services.language.outcome import DeviceResult, Outcome


class RehearsalHome:
    """See ``runner.HomePort``; its timers ring for nobody."""

    def __init__(self) -> None:
        self._registry = Registry()
        for device in DEVICES:
            payload = json.dumps(device.config(BASE, BRIDGE)).encode()
            self._registry.apply(discovery.parse(device.config_topic, payload, discovery.PREFIX))
        self._desk = Desk(lambda chime: None)

    def view(self) -> HomeView:
        return self._registry.view(None)

    def execute(
        self,
        call: Call,
        turn_id: int,
        current: Callable[[int], bool],
        session: str | None = None,
    ) -> Outcome:
        if call.name not in DEVICE_CALLS:
            return answer(call, self._desk) or Outcome(call, error="unsupported")
        found = resolve(call, self._registry.snapshot(), None)
        if found.refusal is not None:
            return Outcome(found.call or call, error=found.refusal)
        done = tuple(DeviceResult(e.entity_id, e.name, "confirmed") for e in found.targets)
        return Outcome(found.call or call, done)

    def confirm(
        self, said: str, session: str, turn_id: int, current: Callable[[int], bool]
    ) -> Outcome:
        return Outcome(Call.of("HassNevermind"), error="nothing_asked")

    def withdraw(self) -> None:
        return None
