"""The simulated home as a speech model sees it, without a broker in between."""

from __future__ import annotations

import json
from collections.abc import Sequence

from services.home import discovery
from services.home.entities import Registry
from services.home.simulated import BASE, BRIDGE
from services.home.simulated_devices import DEVICES, SimulatedDevice
from services.language.homeview import HomeView


def simulated_view(
    devices: Sequence[SimulatedDevice] = DEVICES, here: str | None = None
) -> HomeView:
    """What ``Home.view`` gives after these devices have announced themselves; ``here``: a room."""
    registry = Registry()
    for device in devices:
        payload = json.dumps(device.config(BASE, BRIDGE)).encode()
        registry.apply(discovery.parse(device.config_topic, payload, discovery.PREFIX))
    return registry.view(here)
